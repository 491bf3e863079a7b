"""Three households that pay, send credit and become one another; what is routed comes in any order that can be.

Whatever happens before, during and after a merge: each household's books agree with billing, nothing waits in a
household that has moved, and what all of them owe and have together changes by no transfer and no merge.
"""

import itertools
from collections.abc import Iterable
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.billing.domain import commands
from services.billing.domain.household import Household
from shared.contracts.billing import (
    CheckReturnReported,
    DisputeTraced,
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
    MergeRequested,
    PaymentRequested,
    RefundRequested,
    TransferRequested,
)
from tests.unit.money_world import World

HOMES = ("acc_0a", "acc_0b", "acc_0c")
AT, DAY, MONTH = "2026-03-01T12:00:00.000000Z", "2026-03-02", "2026-04"
homes = st.sampled_from(HOMES)
amounts = st.integers(1, 60_000)
picks = st.integers(0, 20)


def pick(things: Iterable[str], number: int) -> str | None:
    found = list(things)
    return found[number % len(found)] if found else None


class MergeMachine(RuleBasedStateMachine):
    """What three households do and suffer; `world` tells billing and books."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.numbers = itertools.count(1)

    def home(self, account_id: str) -> Household:
        return self.world.household(account_id)

    def new(self, prefix: str) -> str:
        return f"{prefix}_3_{next(self.numbers)}"

    @initialize()
    def open(self) -> None:
        for account_id in HOMES:
            self.world.tell(
                AccountRequested(account_id=account_id, member_id="m", language="en", contact=(), received_at=AT)
            )

    @rule(whose=homes, shares=st.lists(st.tuples(amounts, st.integers(0, 30_000)), min_size=1, max_size=2))
    def bill(self, whose: str, shares: list[tuple[int, int]]) -> None:
        lines = tuple(
            PremiumLine(policy_id=f"{whose}_{n}", coverage_month=MONTH, gross_minor=share + aptc, aptc_minor=aptc)
            for n, (share, aptc) in enumerate(shares)
        )
        self.world.tell(
            InvoiceRequested(
                invoice_id=self.new("inv"), account_id=whose, due_date="2026-04-01", currency="USD", lines=lines,
                received_at=AT,
            )
        )  # fmt: skip

    @rule(whose=homes, number=picks, minor=amounts)
    def pay(self, whose: str, number: int, minor: int) -> None:
        """By card, settled at once."""
        invoice_id = pick(self.home(whose).invoices, number)
        if invoice_id is None:
            return
        payment_id = self.new("pay")
        planned = self.world.tell(
            PaymentRequested(
                payment_id=payment_id, reference="R", account_id=whose, invoice_id=invoice_id, amount_minor=minor,
                currency="USD", method=Method("card", f"pm_{payment_id}"), received_at=AT, accept_credit=True,
            )
        )  # fmt: skip
        attempt_id = getattr(planned[0], "attempt_id", None)
        if attempt_id is None:
            return
        ids = {"account_id": whose, "payment_id": payment_id, "attempt_id": attempt_id}
        self.world.tell(commands.RegisterAttempt(**ids, processor="card", processor_ref=f"pi_{payment_id}"))
        self.world.tell(
            commands.SettleAttempt(
                **ids, processor="card", processor_ref=f"pi_{payment_id}", charge_ref=f"ch_{payment_id}",
                settled_at=AT, settled_on=DAY,
            )
        )  # fmt: skip

    @rule(whose=homes, number=picks, minor=amounts, exact=st.booleans())
    def check(self, whose: str, number: int, minor: int, exact: bool) -> None:
        invoice_id = pick(self.home(whose).invoices, number) if exact else None
        payment_id = self.new("pay")
        self.world.tell(
            CheckReceived(
                payment_id=payment_id, reference="R", account_id=whose, invoice_id=invoice_id, amount_minor=minor,
                currency="USD", bank_account="trust", bank_reference=payment_id, received_on=DAY, received_at=AT,
            )
        )  # fmt: skip

    @rule(whose=homes, number=picks)
    def return_check(self, whose: str, number: int) -> None:
        checks = self.home(whose).checks.values()
        payment_id = pick(checks, number)
        if payment_id is not None:
            self.world.tell(
                CheckReturnReported(
                    bank_account="trust", line_ref=f"ret_{payment_id}", routed_to=whose, payment_id=payment_id,
                    amount_minor=self.home(whose).funds[payment_id].settled_minor, currency="USD", returned_on=DAY,
                )
            )  # fmt: skip

    @rule(whose=homes, number=picks, status=st.sampled_from(["needs_response", "won", "lost"]))
    def dispute(self, whose: str, number: int, status: str) -> None:
        fund_id = pick((one for one, fund in self.home(whose).funds.items() if fund.way is not None), number)
        if fund_id is None:
            return
        fund = self.home(whose).funds[fund_id]
        assert fund.way is not None
        minor, won = fund.settled_minor, status == "won"
        self.world.tell(
            DisputeTraced(
                object_id=f"du_{fund_id}", routed_to=whose, payment_id=fund.payment_id, attempt_id="", processor="card",
                processor_ref=fund.way.processor_ref, charge_ref=fund.way.charge_ref, status=status, reason="x",
                amount_minor=minor, currency="USD", opened_at=AT, due_by=None, debited_minor=minor, fee_minor=1_500,
                debited_on=DAY, reinstated_minor=minor if won else 0, reinstated_on=DAY if won else None,
            )
        )  # fmt: skip

    @rule(whose=homes, number=picks, release=st.booleans())
    def refund(self, whose: str, number: int, release: bool) -> None:
        fund_id = pick((one for one, fund in self.home(whose).funds.items() if fund.way is not None), number)
        if fund_id is None:
            return
        fund = self.home(whose).funds[fund_id]
        self.world.tell(
            RefundRequested(
                refund_id=self.new("rfd"), account_id=whose, payment_id=fund_id, currency="USD", reason="overpaid",
                amount_minor=(fund.settled_minor if release else fund.unapplied_minor) or 1, release=release,
                received_at=AT,
            )
        )  # fmt: skip

    @rule(whose=homes, number=picks, status=st.sampled_from(["succeeded", "failed", "end"]))
    def refund_moves(self, whose: str, number: int, status: str) -> None:
        sendable = (
            one for one, known in self.home(whose).refunds.items() if known.status not in ("waiting", "cancelled")
        )
        refund_id = pick(sendable, number)
        if refund_id is None:
            return
        if status == "end":
            self.world.tell(commands.EndRefund(account_id=whose, refund_id=refund_id, reason="refused_by_processor"))
        else:
            self.world.tell(
                commands.NoteRefund(
                    account_id=whose, refund_id=refund_id, refund_ref=f"re_{refund_id}", status=status,  # type: ignore[arg-type]
                    reason="x", sent_on=DAY, ended_on=DAY if status == "failed" else None,
                )
            )  # fmt: skip

    @rule(whose=homes, number=picks, decision=st.sampled_from(["refund", "credit"]))
    def decide_case(self, whose: str, number: int, decision: Literal["refund", "credit"]) -> None:
        case_id = pick(self.home(whose).cases, number)
        if case_id is not None:
            self.world.tell(
                CaseDecisionRequested(
                    request_id=self.new("req"), account_id=whose, case_id=case_id, decision=decision, received_at=AT
                )
            )

    @rule(whose=homes, number=picks, first_only=st.booleans())
    def void(self, whose: str, number: int, first_only: bool) -> None:
        invoice_id = pick(self.home(whose).invoices, number)
        if invoice_id is None:
            return
        lines = self.home(whose).invoices[invoice_id].lines[:1] if first_only else ()
        named = tuple(PolicyMonth(policy_id=line.policy_id, coverage_month=line.coverage_month) for line in lines)
        self.world.tell(
            InvoiceVoidRequested(
                request_id=self.new("req"), account_id=whose, invoice_id=invoice_id, lines=named,
                reason="billed_in_error", received_at=AT,
            )
        )  # fmt: skip

    @rule(whose=homes, to=homes, minor=amounts)
    def transfer(self, whose: str, to: str, minor: int) -> None:
        self.world.tell(
            TransferRequested(
                transfer_id=self.new("trf"), account_id=whose, to_account_id=to, amount_minor=minor, currency="USD",
                reason="same_family", received_at=AT,
            )
        )  # fmt: skip

    @rule(whose=homes, to=homes)
    def merge(self, whose: str, to: str) -> None:
        self.world.tell(MergeRequested(merge_id=self.new("mrg"), account_id=whose, to_account_id=to, received_at=AT))

    @rule(whose=homes, to=homes)
    def merge_at_once(self, whose: str, to: str) -> None:
        """So that what comes after a merge is met more often."""
        self.merge(whose, to)
        self.world.deliver_all()

    @rule(whose=homes, minor=amounts, more=st.integers(0, 5_000))
    def bill_and_pay(self, whose: str, minor: int, more: int) -> None:
        """The way of most money, in one step."""
        if self.home(whose).moved_to is None:
            self.bill(whose, [(minor, 0)])
            self.pay(whose, len(self.home(whose).invoices) - 1, minor + more)

    @rule(number=picks)
    def deliver(self, number: int) -> None:
        """One of the senders' oldest: what one household tells keeps its order, what two tell has none."""
        firsts: dict[str, int] = {}
        for index, fact in enumerate(self.world.routed):
            firsts.setdefault(sender_of(fact), index)
        if firsts:
            self.world.deliver(list(firsts.values())[number % len(firsts)])

    @invariant()
    def the_books_agree(self) -> None:
        assert self.world.broken == []
        for account_id in HOMES:
            home = self.home(account_id)
            assert self.world.balance("1210", account_id=account_id) == due_of(home)
            assert -self.world.balance("2110", account_id) == sum(fund.unapplied_minor for fund in home.funds.values())
            assert self.world.balance("1250", account_id) == sum(fund.recovery_minor for fund in home.funds.values())
            for fund in home.funds.values():
                assert min(fund.unapplied_minor, fund.refunded_minor, fund.taken_back_minor) >= 0

    @invariant()
    def nothing_waits_in_a_household_that_has_moved(self) -> None:
        for account_id in HOMES:
            home = self.home(account_id)
            if home.moved_to is not None:
                assert due_of(home) == 0
                assert list(home.spendable("USD")) == []

    @invariant()
    def nothing_is_taken_back_twice(self) -> None:
        size = {entry.entry_id: max(one.amount_minor for one in entry.postings) for entry in self.world.entries}
        assert all(minor <= size[entry_id] for entry_id, minor in self.world.reversed_minor().items())

    def teardown(self) -> None:
        self.world.deliver_all()
        self.the_books_agree()
        self.nothing_waits_in_a_household_that_has_moved()
        assert self.world.balance("2140") == 0
        assert not any(home.merge_id and not home.moved_to for home in map(self.home, HOMES))
        sent = [one.amount_minor for one in self.world.told if isinstance(one, TransferSent)]
        came = [one.amount_minor for one in self.world.told if isinstance(one, TransferReceived | TransferRejected)]
        assert sorted(sent) == sorted(came)


def sender_of(fact: Event) -> str:
    return str(getattr(fact, "account_id", ""))


def due_of(home: Household) -> int:
    return sum(invoice.due_minor for invoice in home.invoices.values())


MergeMachine.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
TestMerges = MergeMachine.TestCase
