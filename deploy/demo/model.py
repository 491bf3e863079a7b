"""The plain model of the month: what the plan's acts must come to, household by household.

It knows nothing of the services. It reads the same acts that are played, in the order of their moments.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from deploy.demo import acts
from deploy.demo.purse import Fund, Purse

FEE_OF_DISPUTE_MINOR = 1_500
UNTOLD = ("cancelled_by_member",)
LETTERS = {"refund": "duplicate_refund", "credit": "duplicate_credit", "not_a_duplicate": "duplicate_dismissed"}


@dataclass
class Payment:
    """What a payment must be in the end, and how often its card was charged. `act` is how it was asked for."""

    act: acts.Pay | acts.Cheque
    status: str
    reason: str | None = None
    refunded_minor: int = 0
    disputed: bool = False
    charges: int = 0


@dataclass
class Member:
    """What one household must come to. `cases` are outcomes by payment, `letters` the mails by kind."""

    purse: Purse = field(default_factory=Purse)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, tuple[acts.Refund, str]] = field(default_factory=dict)
    transfers: dict[str, str] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    letters: Counter[str] = field(default_factory=Counter)
    moved_to: int | None = None

    def unapplied_minor(self, payment: str) -> int:
        """Return what of a payment pays no bill and is credit."""
        fund = self.purse.funds.get(payment)
        return fund.credit_minor if fund is not None else 0


class Model:
    """All households, by number."""

    def __init__(self, households: Sequence[acts.Household]) -> None:
        self.members = {household.number: Member() for household in households}
        told = [(act.moment, one.number, act) for one in households for act in one.acts]
        for _, number, act in sorted(told, key=lambda each: each[:2]):
            self._tell(number, self.members[number], act)

    def _tell(self, number: int, member: Member, act: acts.AnyAct) -> None:
        match act:
            case acts.Bill():
                member.purse.owe(act.name, act.lines)
            case acts.Pay() | acts.Await() | acts.Decide() | acts.Cancel() | acts.Authenticate() | acts.Repeat():
                _tell_payment(member, act)
            case acts.Cheque() | acts.ChequeReturned():
                _tell_cheque(member, act)
            case acts.DecideCase():
                _decide_case(member, act)
            case acts.Refund() | acts.AwaitRefund():
                _tell_refund(member, act)
            case acts.Void():
                member.purse.void(act.bill, act.policy)
            case acts.Dispute() | acts.DisputeEnds():
                _tell_dispute(member, act)
            case acts.Transfer():
                self._transfer(number, member, act)
            case acts.Merge():
                self._merge(number, member, act)
            case _:
                assert_never(act)

    def _transfer(self, number: int, member: Member, act: acts.Transfer) -> None:
        member.transfers[act.name] = act.status
        if act.status == "completed":
            self._pass_on(number, member, act.to, act.minor)

    def _pass_on(self, number: int, member: Member, to: int, minor: int) -> None:
        if minor:
            member.purse.take_credit(minor)
            self.members[to].purse.get(f"of {number}", "2140", minor)

    def _merge(self, number: int, member: Member, act: acts.Merge) -> None:
        into = self.members[act.into].purse
        for bill in dict.fromkeys(line.bill for line in member.purse.lines):
            moved: list[acts.Line] = []
            for line in member.purse.lines:
                if line.bill == bill and line.due_minor:
                    whole = line.paid_minor == 0
                    subsidies = (line.aptc_minor, line.state_minor) if whole else (0, 0)
                    rest = acts.Line(line.policy, line.due_minor + sum(subsidies), *subsidies)
                    member.purse.unbill(line, rest.gross_minor, rest.aptc_minor, rest.state_minor)
                    moved.append(rest)
            if moved:
                into.owe(f"{bill} of {number}", tuple(moved))
        self._pass_on(number, member, act.into, member.purse.credit_minor)
        member.moved_to = act.into


def _tell_payment(
    member: Member, act: acts.Pay | acts.Await | acts.Decide | acts.Cancel | acts.Authenticate | acts.Repeat
) -> None:
    match act:
        case acts.Pay():
            member.payments[act.name] = Payment(act, act.status)
            _become(member, act.name, act.status, act.reason)
        case acts.Await():
            _become(member, act.payment, act.status, act.reason)
        case acts.Decide() | acts.Cancel() | acts.Authenticate() | acts.Repeat():
            pass
        case _:
            assert_never(act)


def _become(member: Member, name: str, status: acts.Status, reason: str | None) -> None:
    payment = member.payments[name]
    payment.status, payment.reason = status, reason
    if status == "settled":
        _settle(member, name, payment)
    elif status in ("declined", "cancelled") and reason not in UNTOLD:
        member.letters[f"payment_{status}"] += 1


def _settle(member: Member, name: str, payment: Payment) -> None:
    act = payment.act
    assert isinstance(act, acts.Pay)
    member.letters["payment_receipt"] += 1
    payment.charges += 1
    member.purse.pay(member.purse.get(name, "1125", act.minor), act.bill, act.policy)
    if act.trouble == "charged_twice":
        payment.charges += 1
        member.purse.get(_again(name), "1125", act.minor).waits = True
        member.letters["duplicate_found"] += 1


def _again(name: str) -> str:
    return f"{name}, again"


def _tell_cheque(member: Member, act: acts.Cheque | acts.ChequeReturned) -> None:
    purse = member.purse
    match act:
        case acts.Cheque():
            member.payments[act.name] = Payment(act, "settled")
            member.letters["payment_receipt"] += 1
            fund = purse.get(act.name, "1010", act.minor)
            for bill in dict.fromkeys(line.bill for line in purse.lines if act.bill in (None, line.bill)):
                purse.pay(fund, bill)
            if act.bill is not None and not fund.pays:
                fund.waits = True
                member.letters["duplicate_found"] += 1
        case acts.ChequeReturned():
            fund, payment = purse.funds[act.payment], member.payments[act.payment]
            purse.lose(fund, payment.act.minor, "1010")
            payment.status = "reversed"
            member.letters["payment_returned"] += 1
        case _:
            assert_never(act)


def _decide_case(member: Member, act: acts.DecideCase) -> None:
    purse = member.purse
    member.cases[act.payment] = act.decision
    member.letters[LETTERS[act.decision]] += 1
    surplus = next(fund for fund in purse.funds.values() if fund.waits)
    surplus.waits = False
    if act.decision != "refund":
        return
    minor = surplus.credit_minor
    source, name = surplus, act.payment
    if surplus.cash == "1010":
        source = next(fund for fund in purse.funds.values() if fund.cash == "1125" and fund.pays)
        name = source.name
        bills = {line.bill for line, _ in source.pays}
        purse.release(source, minor)
        for bill in bills:
            purse.pay(surplus, bill)
    purse.set_aside(source, minor)
    _give_back(member, name, minor)


def _give_back(member: Member, payment: str, minor: int) -> None:
    member.purse.move("2120", "1125", minor)
    member.payments[payment].refunded_minor += minor
    member.letters["refund_completed"] += 1


def _tell_refund(member: Member, act: acts.Refund | acts.AwaitRefund) -> None:
    purse = member.purse
    match act:
        case acts.Refund():
            member.refunds[act.name] = (act, act.status)
            fund = purse.funds[act.payment]
            if act.status == "refused":
                return
            if act.release:
                purse.release(fund, act.minor - fund.credit_minor)
            purse.set_aside(fund, act.minor)
            if act.status == "completed":
                _give_back(member, act.payment, act.minor)
            elif act.status == "cancelled":
                purse.put_back(fund, act.minor)
                member.letters["refund_cancelled"] += 1
        case acts.AwaitRefund(refund=name, status="bounced"):
            asked, _ = member.refunds[name]
            member.refunds[name] = (asked, act.status)
            purse.move("1125", "2120", asked.minor)
            purse.put_back(purse.funds[asked.payment], asked.minor)
            member.payments[asked.payment].refunded_minor -= asked.minor
            member.letters["refund_bounced"] += 1
        case acts.AwaitRefund():
            raise ValueError(f"no story waits for a refund to be {act.status}")
        case _:
            assert_never(act)


def _tell_dispute(member: Member, act: acts.Dispute | acts.DisputeEnds) -> None:
    purse, payment, fund = member.purse, member.payments[act.payment], member.purse.funds[act.payment]
    minor = payment.act.minor
    match act:
        case acts.Dispute():
            fund.disputed = payment.disputed = True
            if not act.inquiry:
                purse.move("1260", "1125", minor)
                purse.move("5040", "1125", FEE_OF_DISPUTE_MINOR)
                _stop_refunds(member, fund)
        case acts.DisputeEnds():
            fund.disputed = payment.disputed = False
            if act.outcome == "won":
                purse.move("1125", "1260", minor)
            elif act.outcome == "lost":
                purse.lose(fund, minor, "1260")
                payment.status = "reversed"
                member.letters["chargeback_lost"] += 1
        case _:
            assert_never(act)


def _stop_refunds(member: Member, fund: Fund) -> None:
    for name, (asked, status) in member.refunds.items():
        if asked.payment == fund.name and status == "awaiting_approval":
            member.refunds[name] = (asked, "cancelled")
            member.purse.put_back(fund, asked.minor)
            member.letters["refund_cancelled"] += 1
