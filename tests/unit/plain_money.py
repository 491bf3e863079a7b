"""What must come of one household's money, in plain numbers: nothing of the services is used here.

A bill is a list of [policy, share, paid]. A pot is money that came in once: what it paid, what is set aside or sent
back, what was taken back, what went to another household, and what the member owes for it.
"""

from datetime import datetime, timedelta
from typing import Any

DAY = timedelta(hours=24)
MUCH = 50_000


class PlainMoney:
    """One household, told what happens to it."""

    def __init__(self) -> None:
        self.bills: dict[str, list[list[Any]]] = {}
        self.pays: dict[str, dict[str, Any]] = {}
        self.pots: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.sent: dict[str, list[tuple[str, int]]] = {}

    # what an observer sees

    def owed(self) -> int:
        return sum(self.due(bill) for bill in self.bills)

    def paid(self) -> int:
        return sum(line[2] for lines in self.bills.values() for line in lines)

    def credit(self) -> int:
        return sum(self.free(pot) for pot in self.pots)

    def held(self) -> set[str]:
        return {pay for pay, one in self.pays.items() if one["state"] == "held"}

    def refunded(self) -> int:
        return sum(one["minor"] for one in self.refunds.values() if one["state"] in ("sent", "done"))

    def aside(self) -> int:
        return sum(one["minor"] for one in self.refunds.values() if one["state"] in ("waiting", "open", "stopping"))

    def disputed(self) -> int:
        return sum(one["taken"] for one in self.disputes.values() if one["open"])

    def recoverable(self) -> int:
        return sum(int(pot["owes"]) for pot in self.pots.values())

    # arithmetic

    def due(self, bill: str, policy: str | None = None) -> int:
        lines = [line for line in self.bills[bill] if policy in (None, line[0])]
        return sum(share - paid for _, share, paid in lines)

    def free(self, pot: str) -> int:
        one = self.pots[pot]
        return int(one["in"] - sum(m for *_, m in one["paid"]) - one["back"] - one["taken"] - one["moved"])

    def usable(self, pot: str) -> bool:
        disputed = any(one["pot"] == pot and one["open"] for one in self.disputes.values())
        return not self.pots[pot]["case"] and not disputed and self.free(pot) > 0

    def spend(self, pot: str, bill: str, policy: str | None = None) -> int:
        spent, left = 0, self.free(pot)
        for number, line in enumerate(self.bills[bill]):
            minor = min(left - spent, line[1] - line[2]) if policy in (None, line[0]) else 0
            if minor > 0:
                line[2] += minor
                spent += minor
                self.pots[pot]["paid"].append((bill, number, minor))
        return spent

    def unspend(self, pot: str, minor: int, bill: str | None = None) -> None:
        kept = []
        for where, number, paid in reversed(self.pots[pot]["paid"]):
            back = min(minor, paid) if bill in (None, where) else 0
            minor -= back
            self.bills[where][number][2] -= back
            if paid - back:
                kept.append((where, number, paid - back))
        self.pots[pot]["paid"] = kept[::-1]

    def room(self, pot: str, minor: int) -> int:
        self.unspend(pot, max(0, minor - max(0, self.free(pot))))
        return max(0, min(minor, self.free(pot)))

    def square(self) -> None:
        """Credit of a pot pays what is owed for the same pot."""
        for pot, one in self.pots.items():
            minor = max(0, min(one["owes"], self.free(pot)))
            one["owes"] -= minor
            one["taken"] += minor

    # bills and payments

    def bill(self, bill: str, lines: list[tuple[str, int]]) -> None:
        self.bills[bill] = [[policy, share, 0] for policy, share in lines]
        for pot in self.pots:
            if self.usable(pot):
                self.spend(pot, bill)

    def void(self, bill: str, policy: str | None) -> None:
        under_way = any(one["bill"] == bill and one["state"] == "open" for one in self.pays.values())
        numbers = [n for n, line in enumerate(self.bills[bill]) if policy in (None, line[0]) and line[1] >= 0]
        if under_way or not numbers or not self.is_there(bill, policy):
            return
        for pot in self.pots.values():
            for where, number, minor in pot["paid"]:
                if where == bill and number in numbers:
                    self.bills[bill][number][2] -= minor
            pot["paid"] = [one for one in pot["paid"] if not (one[0] == bill and one[1] in numbers)]
        for number in numbers:
            self.bills[bill][number] = ["void", 0, 0]
        self.square()

    def is_there(self, bill: str, policy: str | None = None) -> bool:
        return any(line[0] != "void" and policy in (None, line[0]) for line in self.bills[bill])

    def ask(self, pay: str, bill: str, minor: int, card: str, policy: str | None, meant: bool, now: datetime) -> None:
        one = {"bill": bill, "minor": minor, "card": card, "policy": policy, "meant": meant, "state": "refused"}
        if not self.is_there(bill, policy):
            return
        same = (bill, minor, card)
        twins = [
            p for p in self.pays.values() if (p["bill"], p["minor"], p["card"]) == same and p["state"] == "settled"
        ]
        due = self.due(bill, policy)
        if any(now - twin["at"] <= DAY for twin in twins):
            one["state"] = "held"
        elif not meant and (due <= 0 or minor > due):
            return
        elif any(
            p["bill"] == bill and p["state"] == "open" and self.overlap(p["policy"], policy) for p in self.pays.values()
        ):
            one["state"] = "held"
        else:
            one["state"] = "open"
        self.pays[pay] = one

    @staticmethod
    def overlap(one: str | None, other: str | None) -> bool:
        return None in (one, other) or one == other

    def settle(self, pay: str, charge: str, at: datetime) -> None:
        one = self.pays[pay]
        if any(pot["charge"] == charge for pot in self.pots.values()):
            return
        if one["state"] != "open":
            return
        one["state"], one["at"] = "settled", at
        self.came(pay, one["minor"], charge)
        self.use(pay, one["bill"], one["policy"], one["meant"])

    def came(self, pot: str, minor: int, charge: str | None, pay: str | None = None) -> None:
        self.pots[pot] = {"in": minor, "charge": charge, "pay": pay or pot, "paid": [], "back": 0, "taken": 0,
                          "moved": 0, "owes": 0, "case": False}  # fmt: skip

    def use(self, pot: str, bill: str | None, policy: str | None, meant: bool) -> None:
        if bill is None or bill not in self.bills:
            return
        payers = [other for other, p in self.pots.items() if other != pot and any(w == bill for w, *_ in p["paid"])]
        if self.spend(pot, bill, policy) == 0 and not meant and payers:
            self.pots[pot]["case"] = True

    def check(self, pay: str, bill: str | None, minor: int, due_order: list[str]) -> None:
        self.pays[pay] = {"bill": bill, "minor": minor, "card": "", "policy": None, "meant": False, "state": "check"}
        self.came(pay, minor, None)
        if bill is not None:
            self.use(pay, bill, None, False)
        else:
            for one in due_order:
                self.spend(pay, one)

    def came_back(self, pay: str) -> None:
        pot = self.pots[pay]
        if pot["taken"] or pot["owes"]:
            return
        there = self.room(pay, pot["in"])
        pot["taken"] += there
        pot["owes"] += pot["in"] - there
        self.surplus_is_needed()
        self.square()

    # cases

    def open_case(self, case: str, pot: str, twin: str | None, bill: str | None, rule: str) -> None:
        self.pots[pot]["case"] = True
        self.cases[case] = {"pot": pot, "twin": twin, "bill": bill, "rule": rule, "open": True}

    def surplus_is_needed(self) -> None:
        for case in self.cases.values():
            if not case["open"]:
                continue
            free = self.free(case["pot"])
            owes = case["bill"] in self.bills and self.due(case["bill"]) > 0
            needed = case["twin"] is not None and free > 0 and owes
            if free > 0 and not needed:
                continue
            case["open"], self.pots[case["pot"]]["case"] = False, False
            if needed:
                self.spend(case["pot"], case["bill"])

    def decide(self, case_id: str, decision: str, refund: str) -> None:
        case = self.cases[case_id]
        if not case["open"]:
            return
        pot = case["pot"]
        if decision != "refund":
            case["open"], self.pots[pot]["case"] = False, False
            if case["bill"] in self.bills:
                self.spend(pot, case["bill"])
            self.square()
            return
        twins = [p for p, one in self.pots.items() if one["charge"] and one["pay"] == case["twin"]]
        by = pot if self.pots[pot]["charge"] else max(twins, key=lambda p: self.on_bill(p, case["bill"]), default=None)
        if by is None or any(one["pot"] == by and one["open"] for one in self.disputes.values()):
            return
        minor = max(0, self.free(pot))
        if by != pot:
            minor = min(minor, self.on_bill(by, case["bill"]))
        if minor <= 0:
            return
        case["open"], self.pots[pot]["case"] = False, False
        if by != pot:
            self.unspend(by, minor, case["bill"])
            self.spend(pot, case["bill"])
        self.give_back(refund, by, minor)

    def on_bill(self, pot: str, bill: str | None) -> int:
        return sum(minor for where, _, minor in self.pots[pot]["paid"] if where == bill)

    # refunds and disputes

    def give_back(self, refund: str, pot: str, minor: int) -> None:
        self.pots[pot]["back"] += minor
        self.refunds[refund] = {"pot": pot, "minor": minor, "state": "waiting" if minor > MUCH else "open", "by": set()}

    def refund(self, refund: str, pay: str, minor: int, release: bool) -> None:
        pot = self.pots.get(pay)
        disputed = any(one["pot"] == pay and one["open"] for one in self.disputes.values())
        if pot is None or disputed or not pot["charge"] or pot["case"]:
            return
        if minor <= self.free(pay) + (sum(m for *_, m in pot["paid"]) if release else 0):
            self.room(pay, minor)
            self.give_back(refund, pay, minor)
            self.surplus_is_needed()
            self.square()

    def approve(self, refund: str, who: str, yes: bool) -> None:
        one = self.refunds[refund]
        if one["state"] != "waiting":
            return
        if not yes:
            self.end_refund(refund, "cancelled")
        else:
            one["by"].add(who)
            one["state"] = "open" if len(one["by"]) >= 2 else "waiting"

    def end_refund(self, refund: str, state: str) -> None:
        one = self.refunds[refund]
        one["state"] = state
        self.pots[one["pot"]]["back"] -= one["minor"]
        self.square()

    def refund_is(self, refund: str, status: str) -> None:
        one = self.refunds[refund]
        if status == "failed" and one["state"] != "bounced":
            self.end_refund(refund, "bounced")
        elif status in ("pending", "succeeded") and one["state"] not in ("done", "bounced"):
            one["state"] = "done" if status == "succeeded" else "sent"

    def refund_ends(self, refund: str, expired: bool) -> None:
        states = ("waiting",) if expired else ("waiting", "open", "stopping")
        if self.refunds[refund]["state"] in states:
            self.end_refund(refund, "cancelled")

    def dispute(self, dispute: str, pot: str, taken: int, status: str) -> None:
        new = {"pot": pot, "taken": 0, "open": True}
        one = self.disputes.setdefault(dispute, new)
        if taken and not one["taken"]:
            one["taken"], one["open"] = taken, True
            for refund in self.refunds.values():
                if refund["pot"] == pot and refund["state"] == "waiting":
                    refund["state"] = "cancelled"
                    self.pots[pot]["back"] -= refund["minor"]
                elif refund["pot"] == pot and refund["state"] == "open":
                    refund["state"] = "stopping"
        if not one["open"]:
            return
        if status == "won" and one["taken"]:
            one["open"] = False
        elif status == "lost" and one["taken"]:
            one["open"] = False
            there = self.room(pot, one["taken"])
            self.pots[pot]["taken"] += there
            self.pots[pot]["owes"] += one["taken"] - there
            self.surplus_is_needed()
        elif status in ("lost", "warning_closed") and not one["taken"]:
            one["open"] = False
        self.square()

    # transfers

    def send(self, transfer: str, minor: int) -> None:
        pots = [pot for pot in self.pots if self.usable(pot)]
        if minor > sum(self.free(pot) for pot in pots):
            return
        self.sent[transfer] = []
        for pot in pots:
            part = min(minor, self.free(pot))
            if part > 0:
                self.pots[pot]["moved"] += part
                self.sent[transfer].append((pot, part))
                minor -= part

    def returned(self, transfer: str) -> None:
        for pot, part in self.sent[transfer]:
            self.pots[pot]["moved"] -= part
        self.square()
