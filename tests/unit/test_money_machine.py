"""One household through everything that can happen to its money, in any order.

After each step the plain model, billing and the books say the same: owed, paid, credit, held, refunded, disputed.
"""

import itertools
from collections.abc import Iterable
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.billing.domain import commands
from services.billing.domain.payments import Held, Planned, Registered, Settled
from shared.contracts.billing import (
    ChargeFound,
    CheckReturnReported,
    DisputeTraced,
    DuplicateCaseOpened,
    RefundOpened,
    TransferReceived,
    TransferRejected,
    TransferSent,
)
from shared.contracts.event import Event, Method, PolicyMonth, PremiumLine
from shared.contracts.gateway import (
    AccountRequested,
    CaseDecisionRequested,
    CheckReceived,
    InvoiceRequested,
    InvoiceVoidRequested,
    PaymentCancellationRequested,
    PaymentDecisionRequested,
    PaymentRequested,
    RefundApprovalRequested,
    RefundRequested,
    TransferRequested,
)
from shared.instants import text_of
from tests.unit.money_world import World
from tests.unit.plain_money import PlainMoney

A, B = "acc_0a", "acc_0b"
AT = "2026-03-01T12:00:00.000000Z"
DAY, MONTH = "2026-03-02", "2026-04"
amounts = st.integers(1, 90_000)
picks = st.integers(0, 30)
CaseDecision = Literal["refund", "credit", "not_a_duplicate"]


class MoneyMachine(RuleBasedStateMachine):
    """What a household does and suffers, told to billing and books (`world`) and to the model (`plain`) alike."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.plain = World(), PlainMoney()
        self.numbers = itertools.count(1)

    @property
    def home(self) -> Any:
        return self.world.household(A)

    def new(self, prefix: str) -> str:
        return f"{prefix}_3_{next(self.numbers)}"

    @staticmethod
    def pick(things: Iterable[str], number: int) -> str | None:
        found = list(things)
        return found[number % len(found)] if found else None

    def payments(self, *kinds: type) -> list[str]:
        return [payment_id for payment_id, payment in self.home.payments.items() if isinstance(payment, kinds)]

    @initialize()
    def open(self) -> None:
        for account in (A, B):
            self.world.tell(
                AccountRequested(account_id=account, member_id="mem_1", language="en", contact=(), received_at=AT)
            )

    @rule(shares=st.lists(st.tuples(amounts, st.integers(0, 50_000)), min_size=1, max_size=3))
    def bill(self, shares: list[tuple[int, int]]) -> None:
        invoice_id = self.new("inv")
        lines = tuple(
            PremiumLine(policy_id=f"pol_{n}", coverage_month=MONTH, gross_minor=share + aptc, aptc_minor=aptc)
            for n, (share, aptc) in enumerate(shares)
        )
        self.plain.bill(invoice_id, [(f"pol_{n}", share) for n, (share, _) in enumerate(shares)])
        self.world.tell(
            InvoiceRequested(
                invoice_id=invoice_id, account_id=A, due_date="2026-04-01", currency="USD", lines=lines, received_at=AT
            )
        )

    @rule(number=picks, first_only=st.booleans())
    def void(self, number: int, first_only: bool) -> None:
        invoice_id = self.pick(self.home.invoices, number)
        if invoice_id is None:
            return
        self.plain.void(invoice_id, "pol_0" if first_only else None)
        lines = (PolicyMonth(policy_id="pol_0", coverage_month=MONTH),) if first_only else ()
        self.world.tell(
            InvoiceVoidRequested(
                request_id=self.new("req"), account_id=A, invoice_id=invoice_id, lines=lines, reason="billed_in_error",
                received_at=AT,
            )
        )  # fmt: skip

    @rule(number=picks, amount=amounts, how=st.sampled_from(["full", "part", "over", "policy"]), card=st.integers(0, 2))
    def pay(self, number: int, amount: int, how: str, card: int) -> None:
        invoice_id = self.pick(self.home.invoices, number)
        if invoice_id is None:
            return
        due = self.plain.due(invoice_id)
        minor = {"full": due or amount, "part": min(amount, due) or amount, "over": due + amount, "policy": amount}[how]
        payment_id, policy_id, meant = self.new("pay"), "pol_0" if how == "policy" else None, how in ("over", "policy")
        self.plain.ask(payment_id, invoice_id, minor, f"pm_{card}", policy_id, meant, self.world.now)
        self.world.tell(
            PaymentRequested(
                payment_id=payment_id, reference="R", account_id=A, invoice_id=invoice_id, amount_minor=minor,
                currency="USD", method=Method("card", f"pm_{card}"), received_at=AT, policy_id=policy_id,
                accept_credit=meant,
            )
        )  # fmt: skip

    @rule(share=amounts, how=st.sampled_from(["full", "over"]), card=st.integers(0, 2))
    def bill_and_pay(self, share: int, how: str, card: int) -> None:
        """The way of most money, in one step, so that what comes later is met more often."""
        self.bill([(share, 0)])
        self.pay(len(self.home.invoices) - 1, share, how, card)
        self.attempt(len(self.payments(Planned, Registered)) - 1, "settle")

    def ids(self, payment_id: str) -> dict[str, str]:
        payment = self.home.payments[payment_id]
        terms = payment.summary if hasattr(payment, "summary") else payment.terms
        return {"account_id": A, "payment_id": payment_id, "attempt_id": terms.attempt_id}

    @rule(number=picks, end=st.sampled_from(["settle", "settle", "settle", "decline", "cancel", "register"]))
    def attempt(self, number: int, end: str) -> None:
        payment_id = self.pick(self.payments(Planned, Registered), number)
        if payment_id is None:
            return
        ids = self.ids(payment_id)
        self.world.tell(commands.RegisterAttempt(**ids, processor="card", processor_ref=f"pi_{payment_id}"))
        if end == "settle":
            self.settle(payment_id, f"ch_{payment_id}")
        elif end == "decline":
            self.world.tell(commands.DeclineAttempt(**ids, processor="card", reason="expired_card"))
            self.plain.pays[payment_id]["state"] = "ended"
        elif end == "cancel":
            self.world.tell(commands.CancelAttempt(**ids, processor="card", reason="processor_timeout"))
            self.plain.pays[payment_id]["state"] = "ended"

    @rule(number=picks, again=st.booleans())
    def settle_again(self, number: int, again: bool) -> None:
        ended = [
            one for one, known in self.plain.pays.items() if known["state"] in ("settled", "ended") and known["card"]
        ]
        payment_id = self.pick([one for one in ended if self.home.payments[one].summary.processor_ref], number)
        if payment_id is not None:
            self.settle(payment_id, f"ch_{payment_id}" if again else f"ch_{payment_id}_2")

    def settle(self, payment_id: str, charge_ref: str) -> None:
        is_known = any(pot["charge"] == charge_ref for pot in self.plain.pots.values())
        self.plain.settle(payment_id, charge_ref, self.world.now)
        events = self.world.tell(
            commands.SettleAttempt(
                **self.ids(payment_id), processor="card", processor_ref=f"pi_{payment_id}", charge_ref=charge_ref,
                settled_at=text_of(self.world.now), settled_on=DAY,
            )
        )  # fmt: skip
        found = [event for event in events if isinstance(event, ChargeFound)]
        assert not (is_known and events)
        for charge in found:
            self.plain.came(charge.case_id, self.plain.pays[payment_id]["minor"], charge_ref, payment_id)
        self.cases_opened(events)

    def cases_opened(self, events: list[Event]) -> None:
        """Give the model the ids of the cases that billing opened; a bill paid twice it must have expected."""
        for case in (event for event in events if isinstance(event, DuplicateCaseOpened)):
            assert case.rule != "paid_twice" or self.plain.pots[case.fund_id]["case"]
            self.plain.open_case(case.case_id, case.fund_id, case.twin_payment_id, case.invoice_id, case.rule)
            self.plain.surplus_is_needed()

    @rule(number=picks, decision=st.sampled_from(["charge", "cancel", "expire", "member"]))
    def decide_held(self, number: int, decision: str) -> None:
        payment_id = self.pick(self.payments(Held, Planned, Registered), number)
        if payment_id is None:
            return
        known = self.plain.pays[payment_id]
        if known["state"] == "held" and (decision != "charge" or self.plain.is_there(known["bill"], known["policy"])):
            known.update(state="open" if decision == "charge" else "ended", meant=True)
        request = {"request_id": self.new("req"), "account_id": A, "payment_id": payment_id, "received_at": AT}
        if decision == "expire":
            self.world.tell(commands.ExpireHold(account_id=A, payment_id=payment_id))
        elif decision == "member":
            self.world.tell(PaymentCancellationRequested(**request))
        else:
            self.world.tell(PaymentDecisionRequested(**request, decision=decision))  # type: ignore[arg-type]

    @rule(number=picks, amount=amounts, named=st.booleans(), exact=st.booleans())
    def check(self, number: int, amount: int, named: bool, exact: bool) -> None:
        invoice_id = self.pick(self.home.invoices, number) if named else None
        minor = (invoice_id and exact and sum(line[1] for line in self.plain.bills[invoice_id])) or amount
        payment_id = self.new("pay")
        self.plain.check(payment_id, invoice_id, minor, sorted(self.plain.bills))
        events = self.world.tell(
            CheckReceived(
                payment_id=payment_id, reference="R", account_id=A, invoice_id=invoice_id, amount_minor=minor,
                currency="USD", bank_account="trust", bank_reference=payment_id, received_on=DAY, received_at=AT,
            )
        )  # fmt: skip
        self.cases_opened(events)

    @rule(number=picks)
    def return_check(self, number: int) -> None:
        payment_id = self.pick([one for one, known in self.plain.pays.items() if known["state"] == "check"], number)
        if payment_id is None:
            return
        self.plain.came_back(payment_id)
        self.world.tell(
            CheckReturnReported(
                bank_account="trust", line_ref=f"ret_{payment_id}", routed_to=A, payment_id=payment_id,
                amount_minor=self.plain.pots[payment_id]["in"], currency="USD", returned_on=DAY,
            )
        )  # fmt: skip

    @rule(number=picks, amount=amounts, release=st.booleans(), all_of_it=st.booleans())
    def refund(self, number: int, amount: int, release: bool, all_of_it: bool) -> None:
        payment_id = self.pick(self.payments(Settled), number)
        if payment_id is None:
            return
        minor = self.plain.pots[payment_id]["in"] if all_of_it else min(amount, self.plain.pots[payment_id]["in"])
        refund_id = self.new("rfd")
        self.plain.refund(refund_id, payment_id, minor, release)
        self.world.tell(
            RefundRequested(
                refund_id=refund_id, account_id=A, payment_id=payment_id, amount_minor=minor, currency="USD",
                reason="overpaid", release=release, received_at=AT,
            )
        )  # fmt: skip

    @rule(number=picks, by=st.sampled_from(["usr_1", "usr_2", "usr_3"]), yes=st.sampled_from([True, True, False]))
    def approve(self, number: int, by: str, yes: bool) -> None:
        refund_id = self.pick([one for one, known in self.plain.refunds.items() if known["state"] == "waiting"], number)
        if refund_id is None:
            return
        self.plain.approve(refund_id, by, yes)
        digest = self.home.refunds[refund_id].digest
        self.world.tell(
            RefundApprovalRequested(
                request_id=self.new("req"), account_id=A, refund_id=refund_id, digest=digest,
                decision="approve" if yes else "reject", received_at=AT,
            ),
            by,
        )  # fmt: skip

    @rule(number=picks, status=st.sampled_from(["pending", "succeeded", "failed", "end", "expire"]))
    def refund_moves(self, number: int, status: str) -> None:
        refund_id = self.pick(self.plain.refunds, number)
        if refund_id is None:
            return
        if status in ("end", "expire"):
            self.plain.refund_ends(refund_id, status == "expire")
            reason: Any = "chargeback" if status == "end" else "approval_expired"
            self.world.tell(commands.EndRefund(account_id=A, refund_id=refund_id, reason=reason))
        elif self.plain.refunds[refund_id]["state"] not in ("waiting", "cancelled"):
            self.plain.refund_is(refund_id, status)
            said: Any = status
            self.world.tell(
                commands.NoteRefund(
                    account_id=A, refund_id=refund_id, refund_ref=f"re_{refund_id}", status=said, reason="x",
                    sent_on=DAY, ended_on=DAY if status == "failed" else None,
                )
            )  # fmt: skip

    @rule(number=picks, status=st.sampled_from(["inquiry", "debited", "won", "lost", "warning_closed"]))
    def dispute(self, number: int, status: str) -> None:
        fund_id = self.pick([one for one, pot in self.plain.pots.items() if pot["charge"]], number)
        if fund_id is None:
            return
        dispute_id, fund = f"du_{fund_id}", self.home.funds[fund_id]
        sent = [
            one["minor"]
            for one in self.plain.refunds.values()
            if one["pot"] == fund_id and one["state"] in ("sent", "done")
        ]
        minor = self.plain.disputes.get(dispute_id, {}).get("taken") or self.plain.pots[fund_id]["in"] - sum(sent)
        if minor <= 0:
            return
        taken = (
            minor if status in ("debited", "won", "lost") or self.plain.disputes.get(dispute_id, {}).get("taken") else 0
        )
        self.plain.dispute(dispute_id, fund_id, taken, status)
        word = {"inquiry": "warning_needs_response", "debited": "needs_response"}.get(status, status)
        self.world.tell(
            DisputeTraced(
                object_id=dispute_id, routed_to=A, payment_id=fund.payment_id, attempt_id="", processor="card",
                processor_ref=fund.way.processor_ref, charge_ref=fund.way.charge_ref, status=word, reason="fraudulent",
                amount_minor=minor, currency="USD", opened_at=AT, due_by=None, debited_minor=taken,
                fee_minor=1_500 if taken else 0, debited_on=DAY if taken else None,
                reinstated_minor=taken if status == "won" else 0, reinstated_on=DAY if status == "won" else None,
            )
        )  # fmt: skip

    @rule(number=picks, decision=st.sampled_from(["refund", "credit", "not_a_duplicate"]))
    def decide_case(self, number: int, decision: CaseDecision) -> None:
        case_id = self.pick(self.plain.cases, number)
        if case_id is None:
            return
        events = self.world.tell(
            CaseDecisionRequested(
                request_id=self.new("req"), account_id=A, case_id=case_id, decision=decision, received_at=AT
            )
        )
        refund_id = next((event.refund_id for event in events if isinstance(event, RefundOpened)), "none")
        self.plain.decide(case_id, decision, refund_id)

    @rule(amount=amounts, to=st.sampled_from([B, "acc_none"]), all_of_it=st.booleans())
    def transfer(self, amount: int, to: str, all_of_it: bool) -> None:
        credit = sum(self.plain.free(pot) for pot in self.plain.pots if self.plain.usable(pot))
        minor = (all_of_it and credit) or amount
        transfer_id = self.new("trf")
        self.plain.send(transfer_id, minor)
        self.world.tell(
            TransferRequested(
                transfer_id=transfer_id, account_id=A, to_account_id=to, amount_minor=minor, currency="USD",
                reason="same_family", received_at=AT,
            )
        )  # fmt: skip

    @precondition(lambda self: self.world.routed)
    @rule(number=picks)
    def deliver(self, number: int) -> None:
        index = number % len(self.world.routed)
        fact = self.world.routed[index]
        if isinstance(fact, TransferRejected):
            self.plain.returned(fact.transfer_id)
        self.world.deliver(index)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.world.later(hours=hours)

    @invariant()
    def the_model_agrees(self) -> None:
        home, plain = self.home, self.plain
        assert sum(invoice.due_minor for invoice in home.invoices.values()) == plain.owed()
        assert sum(invoice.paid_minor for invoice in home.invoices.values()) == plain.paid()
        assert sum(fund.unapplied_minor for fund in home.funds.values()) == plain.credit()
        assert set(self.payments(Held)) == plain.held()
        sent = [one for one in home.refunds.values() if one.status in ("sent", "completed")]
        assert sum(refund.amount_minor for refund in sent) == plain.refunded()
        assert sum(one.debited_minor for one in home.chargebacks.values() if not one.ended) == plain.disputed()

    @invariant()
    def the_books_agree(self) -> None:
        balance, plain = self.world.balance, self.plain
        assert self.world.broken == []
        assert balance("1210", account_id=A) == plain.owed()
        assert -balance("2110", A) == plain.credit()
        assert -balance("2120", account_id=A) == plain.aside()
        assert balance("1250", A) == plain.recoverable()
        assert balance("1260", account_id=A) == plain.disputed()
        under_way = sum(self.home.payments[one].terms.amount_minor for one in self.payments(Registered))
        assert -balance("2310") == balance("1120") == under_way

    @invariant()
    def every_entry_balances(self) -> None:
        for entry in self.world.entries:
            sides = {side: sum(one.amount_minor for one in entry.postings if one.side == side) for side in "DC"}
            assert sides["D"] == sides["C"] > 0
            assert len(entry.postings) >= 2

    @invariant()
    def each_minor_unit_is_in_one_place(self) -> None:
        for fund in self.home.funds.values():
            assert fund.unapplied_minor >= 0
            assert min(fund.refunded_minor, fund.taken_back_minor, fund.transferred_minor, fund.recovery_minor) >= 0
            assert fund.recovery_minor == 0 or fund.unapplied_minor == 0
        for invoice in self.home.invoices.values():
            for line in invoice.lines:
                assert 0 <= line.paid_minor <= line.share_minor

    @invariant()
    def nothing_is_taken_back_twice(self) -> None:
        size = {entry.entry_id: max(one.amount_minor for one in entry.postings) for entry in self.world.entries}
        assert all(minor <= size[entry_id] for entry_id, minor in self.world.reversed_minor().items())

    def teardown(self) -> None:
        self.world.deliver_all()
        assert self.world.balance("2140") == 0
        sent = sum(one.amount_minor for one in self.world.told if isinstance(one, TransferSent))
        came = sum(one.amount_minor for one in self.world.told if isinstance(one, TransferReceived | TransferRejected))
        assert sent == came


MoneyMachine.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, suppress_health_check=list(HealthCheck)
)
TestMoney = MoneyMachine.TestCase
