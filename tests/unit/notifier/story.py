"""Given facts, when a message, then events: the notifier's deciders through its registry, without a writer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.notifier.domain.commands import EndNotice, MarkSent
from services.notifier.domain.household import evolve, initial
from services.notifier.handlers import REGISTRY
from shared.contracts.billing import (
    AccountOpened,
    ChargebackLost,
    CheckPosted,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    InvoiceIssued,
    PaymentCancelled,
    PaymentDeclined,
    PaymentReturned,
    PaymentSettled,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
)
from shared.contracts.event import Actor, Event
from shared.contracts.gateway import PersonField
from shared.decider import Cause, Context
from shared.ids import event_id, root_of_record

NOTHING: tuple[Event, ...] = ()
ACCOUNT = "acc_0a"
AT = "2026-03-01T12:00:00.000000Z"

OPENED = AccountOpened(
    account_id=ACCOUNT,
    member_id="mem_1",
    language="es",
    contact=(PersonField(field="email", version=2), PersonField(field="name", version=1)),
)
ISSUED = InvoiceIssued(
    account_id=ACCOUNT,
    invoice_id="inv_3_0b",
    number="INV-0B",
    due_date="2026-03-31",
    currency="USD",
    lines=(),
    total_minor=31_250,
)
SETTLED = PaymentSettled(
    account_id=ACCOUNT,
    payment_id="pay_3_0c",
    reference="REF-0C",
    attempt_id="att_3_0d",
    invoice_id="inv_3_0b",
    processor="card",
    processor_ref="pi_1",
    charge_ref="ch_1",
    amount_minor=31_250,
    currency="USD",
    settled_on="2026-02-28",
    settled_at=AT,
)
DECLINED = PaymentDeclined(
    account_id=ACCOUNT,
    payment_id="pay_3_0c",
    reference="REF-0C",
    attempt_id="att_3_0d",
    invoice_id="inv_3_0b",
    processor="card",
    amount_minor=31_250,
    currency="USD",
    reason="insufficient_funds",
    registered=True,
)
CANCELLED = PaymentCancelled(
    account_id=ACCOUNT,
    payment_id="pay_3_0c",
    reference="REF-0C",
    attempt_id="att_3_0d",
    invoice_id="inv_3_0b",
    processor="card",
    amount_minor=31_250,
    currency="USD",
    reason="hold_expired",
    registered=False,
)
CHECK = CheckPosted(
    account_id=ACCOUNT,
    payment_id="pay_3_0e",
    reference="REF-0E",
    invoice_id="inv_3_0b",
    bank_account="lockbox",
    bank_reference="chk_1",
    amount_minor=31_250,
    currency="USD",
    received_on="2026-02-27",
)
RETURNED = PaymentReturned(
    account_id=ACCOUNT,
    payment_id="pay_3_0e",
    reference="REF-0E",
    invoice_id="inv_3_0b",
    bank_account="lockbox",
    line_ref="line_1",
    amount_minor=31_250,
    from_credit_minor=30_000,
    recovery_minor=1_250,
    currency="USD",
    returned_on="2026-02-26",
)
CASE = DuplicateCaseOpened(
    account_id=ACCOUNT,
    case_id="case_3_0f",
    rule="charged_twice",
    fund_id="case_3_0f",
    payment_id="pay_3_0c",
    reference="REF-0C",
    twin_payment_id="pay_3_0c",
    invoice_id="inv_3_0b",
    amount_minor=31_250,
    currency="USD",
)
DECIDED = DuplicateCaseDecided(
    account_id=ACCOUNT,
    case_id="case_3_0f",
    outcome="credit",
    payment_id="pay_3_0c",
    reference="REF-0C",
    invoice_id="inv_3_0b",
    amount_minor=31_250,
    currency="USD",
)
REFUNDED = RefundCompleted(
    account_id=ACCOUNT,
    refund_id="rfd_3_10",
    payment_id="pay_3_0c",
    reference="REF-0C",
    amount_minor=31_250,
    currency="USD",
)
CANCELLED_REFUND = RefundCancelled(
    account_id=ACCOUNT,
    refund_id="rfd_3_10",
    payment_id="pay_3_0c",
    fund_id="pay_3_0c",
    reference="REF-0C",
    amount_minor=31_250,
    currency="USD",
    reason="rejected",
)
BOUNCED = RefundBounced(
    account_id=ACCOUNT,
    refund_id="rfd_3_10",
    payment_id="pay_3_0c",
    fund_id="pay_3_0c",
    reference="REF-0C",
    processor="card",
    processor_ref="pi_1",
    refund_ref="re_1",
    amount_minor=31_250,
    currency="USD",
    bounced_on="2026-02-25",
    reason="lost_or_stolen_card",
)
LOST = ChargebackLost(
    account_id=ACCOUNT,
    chargeback_id="cbk_3_11",
    payment_id="pay_3_0c",
    fund_id="pay_3_0c",
    reference="REF-0C",
    processor="card",
    amount_minor=31_250,
    from_credit_minor=31_250,
    recovery_minor=0,
    currency="USD",
)


def sent(notice_id: str) -> MarkSent:
    return MarkSent(account_id=ACCOUNT, notice_id=notice_id, message_id=f"<{notice_id}@x.invalid>", sent_at=AT)


def rejected(notice_id: str) -> EndNotice:
    return EndNotice(account_id=ACCOUNT, notice_id=notice_id, reason="rejected")


def context(position: int = 1) -> Context:
    """Return the context of the `position`-th record of billing's shard 3."""
    root = root_of_record("billing", 3, position)
    return Context(
        tenant="demo",
        shard=3,
        root=root,
        recorded_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        today="2026-03-01",
        effective_date="2026-03-01",
        actor=Actor("system", "billing"),
        correlation="c" * 32,
        cause=Cause(event_id(root, 0).hex(), f"billing.3.{position}", "test"),
    )


@dataclass(frozen=True)
class Story:
    """Messages decided one after another, each at a position of its own."""

    events: tuple[Event, ...] = ()
    told: int = 0

    def after(self, *messages: Any) -> "Story":
        """Return the story with these messages decided, too."""
        story = self
        for message in messages:
            story = Story(story.events + story.when(message), story.told + 1)
        return story

    def when(self, message: Any, position: int | None = None) -> tuple[Event, ...]:
        """Return what a message, told next or at `position`, is decided to."""
        state = initial(ACCOUNT)
        for event in self.events:
            state = evolve(state, event)
        handler = REGISTRY.handlers[type(message)]
        return tuple(handler.decide(message, state, context(position or self.told + 1)))


GIVEN = Story()
