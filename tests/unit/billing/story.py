"""Given facts, when a message, then events: billing's deciders through its registry, without a writer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.billing.domain import commands
from services.billing.handlers import REGISTRY
from shared.contracts.billing import AccountOpened, AttemptPlanned, AttemptRegistered, InvoiceIssued
from shared.contracts.event import Actor, Event, Method, PremiumLine
from shared.contracts.gateway import AccountRequested, InvoiceRequested, PaymentRequested, PersonField
from shared.decider import Cause, Context
from shared.ids import root_of_record

NOTHING: tuple[Event, ...] = ()
ACCOUNT = "acc_0a"
INVOICE = "inv_3_0b"
PAYMENT = "pay_3_0c"
ATTEMPT = "att_3_0d"
REF = "pi_1"
AT = "2026-03-01T12:00:00.000000Z"
CONTACT = (PersonField(field="email", version=1),)
LINES = (
    PremiumLine(policy_id="pol_1", coverage_month="2026-03", gross_minor=50_000, aptc_minor=20_000),
    PremiumLine(policy_id="pol_2", coverage_month="2026-03", gross_minor=1_250),
)
DUE_MINOR = 31_250

OPENED = AccountOpened(account_id=ACCOUNT, member_id="mem_1", language="en", contact=CONTACT)
ISSUED = InvoiceIssued(
    account_id=ACCOUNT, invoice_id=INVOICE, number="N", due_date="2026-03-31", currency="USD", lines=LINES,
    total_minor=DUE_MINOR,
)  # fmt: skip
PLANNED = AttemptPlanned(
    account_id=ACCOUNT, payment_id=PAYMENT, reference="R", attempt_id=ATTEMPT, invoice_id=INVOICE,
    amount_minor=DUE_MINOR, currency="USD", method=Method("card", "pm_card_visa"), received_at=AT,
)  # fmt: skip
REGISTERED = AttemptRegistered(
    account_id=ACCOUNT, payment_id=PAYMENT, attempt_id=ATTEMPT, processor="card", processor_ref=REF,
    amount_minor=DUE_MINOR, currency="USD",
)  # fmt: skip

ASK_ACCOUNT = AccountRequested(
    account_id=ACCOUNT, member_id="mem_1", language="en", contact=CONTACT, received_at=AT
)  # fmt: skip
ASK_INVOICE = InvoiceRequested(
    invoice_id=INVOICE, account_id=ACCOUNT, due_date="2026-03-31", currency="USD", lines=LINES, received_at=AT
)
PAY = PaymentRequested(
    payment_id=PAYMENT, reference="R", account_id=ACCOUNT, invoice_id=INVOICE, amount_minor=DUE_MINOR,
    currency="USD", method=Method("card", "pm_card_visa"), received_at=AT,
)  # fmt: skip

_ids: dict[str, Any] = {"account_id": ACCOUNT, "payment_id": PAYMENT, "attempt_id": ATTEMPT}
REGISTER = commands.RegisterAttempt(**_ids, processor="card", processor_ref=REF)
SETTLE = commands.SettleAttempt(
    **_ids, processor="card", processor_ref=REF, charge_ref="ch_1", settled_at=AT, settled_on="2026-03-01"
)
DECLINE = commands.DeclineAttempt(**_ids, processor="card", reason="insufficient_funds")
CANCEL = commands.CancelAttempt(**_ids, processor="card", reason="processor_timeout")
LOSE = commands.MarkUnknown(**_ids, since=AT)
ASK_MEMBER = commands.RequireAction(**_ids, url="http://3ds", expires_at="2026-03-01T12:30:00.000000Z")
FIND = commands.FoundCharge(
    **_ids, processor="card", processor_ref="pi_2", charge_ref="ch_2", amount_minor=DUE_MINOR, currency="USD",
    settled_on="2026-03-01",
)  # fmt: skip


def context(position: int = 1, by: str = "test") -> Context:
    """Return the context of the `position`-th record of a gateway's shard 3, caused `by` somebody."""
    return Context(
        tenant="demo",
        shard=3,
        root=root_of_record("gateway", 3, position),
        recorded_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        today="2026-03-01",
        effective_date="2026-03-01",
        actor=Actor("system", by),
        correlation="c",
        cause=Cause("00" * 16, f"gateway.3.{position}", "test"),
    )


@dataclass(frozen=True)
class Story:
    """Facts of one stream, and what the last messages added."""

    stream: str
    facts: tuple[Event, ...]
    added: tuple[Event, ...] = ()

    @property
    def state(self) -> Any:
        kind = REGISTRY.kind_of(self.stream)
        state = kind.initial(self.stream)
        for fact in self.facts:
            state = kind.evolve(state, fact)
        return state

    def when(self, *messages: Any, by: str = "test") -> "Story":
        """Decide messages one after the other."""
        story = Story(self.stream, self.facts)
        for message in messages:
            handler = REGISTRY.handlers[type(message)]
            assert handler.stream(message) == self.stream
            events = tuple(handler.decide(message, story.state, context(len(story.facts) + 1, by)))
            story = Story(self.stream, story.facts + events, story.added + events)
        return story

    def then(self) -> tuple[Event, ...]:
        """Return what the messages of `when` added."""
        return self.added

    def types(self) -> list[str]:
        """Return the types of what was added, without their prefix and version."""
        return [event.TYPE.split(".")[1] for event in self.added]


def given(*facts: Event, stream: str = ACCOUNT) -> Story:
    """Begin with these facts."""
    return Story(stream, facts)


def reread(state: msgspec.Struct) -> msgspec.Struct:
    """Return a state as a snapshot gives it back."""
    return msgspec.json.decode(msgspec.json.encode(state), type=type(state))


def without(lines: Sequence[PremiumLine], **changes: Any) -> InvoiceRequested:
    """Return the request for a bill over other lines."""
    return msgspec.structs.replace(ASK_INVOICE, lines=tuple(lines), **changes)
