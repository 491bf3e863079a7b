"""One household through everything that can happen to its money, in any order; books and billing agree after each."""

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.billing.domain import commands
from services.billing.domain.payments import Held, Planned, Registered, Settled
from shared.contracts.billing import (
    CheckReturnReported,
    DisputeTraced,
    TransferReceived,
    TransferRejected,
    TransferSent,
)
from shared.contracts.event import Method, PolicyMonth, PremiumLine
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
from tests.unit.money_world import World

A, B = "acc_0a", "acc_0b"
AT = "2026-03-01T12:00:00.000000Z"
DAY = "2026-03-02"
UNSENT = ("waiting", "open", "stopping")
amounts = st.integers(1, 90_000)
picks = st.integers(0, 30)


class MoneyMachine(RuleBasedStateMachine):
    """Everything a household can do and suffer; `world` decides, the invariants compare."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.numbers = itertools.count(1)

    @property
    def home(self) -> Any:
        return self.world.household(A)

    def new(self, prefix: str) -> str:
        return f"{prefix}_3_{next(self.numbers)}"

    def pick(self, things: Any, number: int) -> Any:
        found = list(things)
        return found[number % len(found)] if found else None

    @initialize()
    def open(self) -> None:
        for account in (A, B):
            self.world.tell(
                AccountRequested(account_id=account, member_id="mem_1", language="en", contact=(), received_at=AT)
            )

    @rule(shares=st.lists(st.tuples(amounts, st.integers(0, 50_000)), min_size=1, max_size=3))
    def bill(self, shares: list[tuple[int, int]]) -> None:
        lines = tuple(
            PremiumLine(policy_id=f"pol_{n}", coverage_month="2026-04", gross_minor=share + aptc, aptc_minor=aptc)
            for n, (share, aptc) in enumerate(shares)
        )
        self.world.tell(
            InvoiceRequested(
                invoice_id=self.new("inv"), account_id=A, due_date="2026-04-01", currency="USD", lines=lines,
                received_at=AT,
            )
        )  # fmt: skip

    @rule(number=picks, amount=amounts, how=st.sampled_from(["full", "part", "over", "policy"]), card=st.integers(0, 2))
    def pay(self, number: int, amount: int, how: str, card: int) -> None:
        invoice_id = self.pick(self.home.invoices, number)
        if invoice_id is None:
            return
        invoice = self.home.invoices[invoice_id]
        due = invoice.due_minor
        minor = {"full": due or amount, "part": min(amount, due) or amount, "over": due + amount, "policy": amount}[how]
        self.world.tell(
            PaymentRequested(
                payment_id=self.new("pay"), reference="R", account_id=A, invoice_id=invoice_id, amount_minor=minor,
                currency="USD", method=Method("card", f"pm_{card}"), received_at=AT,
                policy_id="pol_0" if how == "policy" else None, accept_credit=how in ("over", "policy"),
            )
        )  # fmt: skip

    def _open(self, *kinds: type) -> list[str]:
        return [payment_id for payment_id, payment in self.home.payments.items() if isinstance(payment, kinds)]

    def _ids(self, payment_id: str) -> dict[str, str]:
        payment = self.home.payments[payment_id]
        terms = payment.summary if hasattr(payment, "summary") else payment.terms
        return {"account_id": A, "payment_id": payment_id, "attempt_id": terms.attempt_id}

    @rule(number=picks, end=st.sampled_from(["settle", "settle", "settle", "decline", "cancel", "register"]))
    def attempt(self, number: int, end: str) -> None:
        payment_id = self.pick(self._open(Planned, Registered), number)
        if payment_id is None:
            return
        ids = self._ids(payment_id)
        self.world.tell(commands.RegisterAttempt(**ids, processor="card", processor_ref=f"pi_{payment_id}"))
        if end == "settle":
            self.world.tell(self._settle(payment_id, f"ch_{payment_id}"))
        elif end == "decline":
            self.world.tell(commands.DeclineAttempt(**ids, processor="card", reason="expired_card"))
        elif end == "cancel":
            self.world.tell(commands.CancelAttempt(**ids, processor="card", reason="processor_timeout"))

    def _settle(self, payment_id: str, charge_ref: str) -> commands.SettleAttempt:
        return commands.SettleAttempt(
            **self._ids(payment_id), processor="card", processor_ref=f"pi_{payment_id}", charge_ref=charge_ref,
            settled_at=AT, settled_on=DAY,
        )  # fmt: skip

    @rule(number=picks, again=st.booleans())
    def settle_again(self, number: int, again: bool) -> None:
        payment_id = self.pick(
            [
                one
                for one, payment in self.home.payments.items()
                if hasattr(payment, "summary") and payment.summary.attempt_id
            ],
            number,
        )
        if payment_id is not None:
            self.world.tell(self._settle(payment_id, f"ch_{payment_id}" if again else f"ch_{payment_id}_2"))

    @rule(number=picks, decision=st.sampled_from(["charge", "cancel", "expire", "member"]))
    def decide_held(self, number: int, decision: str) -> None:
        payment_id = self.pick(self._open(Held, Planned, Registered), number)
        if payment_id is None:
            return
        request_id = self.new("req")
        if decision == "expire":
            self.world.tell(commands.ExpireHold(account_id=A, payment_id=payment_id))
        elif decision == "member":
            self.world.tell(
                PaymentCancellationRequested(request_id=request_id, account_id=A, payment_id=payment_id, received_at=AT)
            )
        else:
            self.world.tell(
                PaymentDecisionRequested(
                    request_id=request_id,
                    account_id=A,
                    payment_id=payment_id,
                    decision=decision,
                    received_at=AT,  # type: ignore[arg-type]
                )
            )

    @rule(number=picks, amount=amounts, named=st.booleans())
    def check(self, number: int, amount: int, named: bool) -> None:
        invoice_id = self.pick(self.home.invoices, number) if named else None
        payment_id = self.new("pay")
        self.world.tell(
            CheckReceived(
                payment_id=payment_id, reference="R", account_id=A, invoice_id=invoice_id, amount_minor=amount,
                currency="USD", bank_account="trust", bank_reference=payment_id, received_on=DAY, received_at=AT,
            )
        )  # fmt: skip

    @rule(number=picks)
    def return_check(self, number: int) -> None:
        payment_id = self.pick(
            [one for one, fund in self.home.funds.items() if one.startswith("pay") and not fund.way], number
        )
        if payment_id is not None:
            self.world.tell(
                CheckReturnReported(
                    bank_account="trust", line_ref=f"ret_{payment_id}", routed_to=A, payment_id=payment_id,
                    amount_minor=self.home.funds[payment_id].settled_minor, currency="USD", returned_on=DAY,
                )
            )  # fmt: skip

    @rule(number=picks, amount=amounts, release=st.booleans())
    def refund(self, number: int, amount: int, release: bool) -> None:
        payment_id = self.pick(self._open(Settled), number)
        if payment_id is not None:
            fund = self.home.funds[payment_id]
            most = fund.unapplied_minor + (fund.allocated_minor if release else 0)
            self.world.tell(
                RefundRequested(
                    refund_id=self.new("rfd"), account_id=A, payment_id=payment_id,
                    amount_minor=min(amount, most) or amount, currency="USD", reason="overpaid", release=release,
                    received_at=AT,
                )
            )  # fmt: skip

    @rule(number=picks, by=st.sampled_from(["usr_1", "usr_2", "usr_3"]), yes=st.booleans())
    def approve(self, number: int, by: str, yes: bool) -> None:
        refund_id = self.pick([one for one, refund in self.home.refunds.items() if refund.status == "waiting"], number)
        if refund_id is not None:
            self.world.tell(
                RefundApprovalRequested(
                    request_id=self.new("req"), account_id=A, refund_id=refund_id,
                    digest=self.home.refunds[refund_id].digest, decision="approve" if yes else "reject", received_at=AT,
                ),
                by,
            )  # fmt: skip

    @rule(number=picks, status=st.sampled_from(["pending", "succeeded", "failed", "end", "expire"]))
    def refund_moves(self, number: int, status: str) -> None:
        refund_id = self.pick(self.home.refunds, number)
        if refund_id is None:
            return
        refund = self.home.refunds[refund_id]
        if status in ("end", "expire"):
            reason = "chargeback" if status == "end" else "approval_expired"
            self.world.tell(commands.EndRefund(account_id=A, refund_id=refund_id, reason=reason))  # type: ignore[arg-type]
        elif refund.status not in ("waiting", "cancelled"):
            self.world.tell(
                commands.NoteRefund(
                    account_id=A,
                    refund_id=refund_id,
                    refund_ref=f"re_{refund_id}",
                    status=status,  # type: ignore[arg-type]
                    reason="x",
                    sent_on=DAY,
                    ended_on=DAY if status == "failed" else None,
                )
            )

    @rule(number=picks, status=st.sampled_from(["inquiry", "debited", "won", "lost", "warning_closed"]))
    def dispute(self, number: int, status: str) -> None:
        fund_id = self.pick([one for one, fund in self.home.funds.items() if fund.way], number)
        if fund_id is None:
            return
        fund = self.home.funds[fund_id]
        refunded = sum(
            r.amount_minor
            for r in self.home.refunds.values()
            if r.fund_id == fund_id and r.status in ("sent", "completed")
        )
        minor = fund.settled_minor - refunded
        if minor <= 0:
            return
        known = self.home.chargebacks.get(f"du_{fund_id}")
        debited = known.debited_minor if known is not None else 0
        if not debited and status in ("debited", "won", "lost"):
            debited = minor
        word = {"inquiry": "warning_needs_response", "debited": "needs_response"}.get(status, status)
        self.world.tell(
            DisputeTraced(
                object_id=f"du_{fund_id}", routed_to=A, payment_id=fund.payment_id, attempt_id="", processor="card",
                processor_ref=fund.way.processor_ref, charge_ref=fund.way.charge_ref, status=word, reason="fraudulent",
                amount_minor=minor, currency="USD", opened_at=AT, due_by=None, debited_minor=debited,
                fee_minor=1_500 if debited else 0, debited_on=DAY if debited else None,
                reinstated_minor=debited if status == "won" else 0, reinstated_on=DAY if status == "won" else None,
            )
        )  # fmt: skip

    @rule(number=picks, decision=st.sampled_from(["refund", "credit", "not_a_duplicate"]))
    def decide_case(self, number: int, decision: str) -> None:
        case_id = self.pick(self.home.cases, number)
        if case_id is not None:
            self.world.tell(
                CaseDecisionRequested(
                    request_id=self.new("req"),
                    account_id=A,
                    case_id=case_id,
                    decision=decision,
                    received_at=AT,  # type: ignore[arg-type]
                )
            )

    @rule(amount=amounts, to=st.sampled_from([B, "acc_none"]))
    def transfer(self, amount: int, to: str) -> None:
        credit = sum(fund.unapplied_minor for _, fund in self.home.spendable("USD"))
        self.world.tell(
            TransferRequested(
                transfer_id=self.new("trf"), account_id=A, to_account_id=to, amount_minor=min(amount, credit) or amount,
                currency="USD", reason="same_family", received_at=AT,
            )
        )  # fmt: skip

    @precondition(lambda self: self.world.routed)
    @rule(number=picks)
    def deliver(self, number: int) -> None:
        self.world.deliver(number % len(self.world.routed))

    @rule(number=picks, first_only=st.booleans())
    def void(self, number: int, first_only: bool) -> None:
        invoice_id = self.pick(self.home.invoices, number)
        if invoice_id is not None:
            lines = (PolicyMonth(policy_id="pol_0", coverage_month="2026-04"),) if first_only else ()
            self.world.tell(
                InvoiceVoidRequested(
                    request_id=self.new("req"), account_id=A, invoice_id=invoice_id, lines=lines,
                    reason="billed_in_error", received_at=AT,
                )
            )  # fmt: skip

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.world.later(hours=hours)

    @invariant()
    def every_entry_balances(self) -> None:
        for entry in self.world.entries:
            sides = {side: sum(p.amount_minor for p in entry.postings if p.side == side) for side in "DC"}
            assert sides["D"] == sides["C"] > 0
            assert len(entry.postings) >= 2

    @invariant()
    def books_and_billing_agree(self) -> None:
        home, balance = self.home, self.world.balance
        assert self.world.broken == []
        assert -balance("2110", A) == sum(fund.unapplied_minor for fund in home.funds.values())
        assert balance("1210", account_id=A) == sum(invoice.due_minor for invoice in home.invoices.values())
        assert -balance("2120", account_id=A) == sum(
            r.amount_minor for r in home.refunds.values() if r.status in UNSENT
        )
        assert balance("1250", A) == sum(fund.recovery_minor for fund in home.funds.values())
        assert balance("1260", account_id=A) == sum(
            one.debited_minor for one in home.chargebacks.values() if not one.ended
        )
        under_way = sum(home.payments[one].terms.amount_minor for one in self._open(Registered))
        assert -balance("2310") == balance("1120") == under_way

    @invariant()
    def each_minor_unit_of_money_is_in_one_place(self) -> None:
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
        for entry_id, minor in self.world.reversed_minor().items():
            assert minor <= size[entry_id]

    def teardown(self) -> None:
        self.world.deliver_all()
        assert self.world.balance("2140") == 0
        sent = sum(e.amount_minor for e in self.world.told if isinstance(e, TransferSent) and e.account_id == A)
        came = sum(e.amount_minor for e in self.world.told if isinstance(e, TransferReceived | TransferRejected))
        assert sent == came


MoneyMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMoney = MoneyMachine.TestCase
