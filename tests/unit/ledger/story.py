"""Given / when / then for the ledger's household, and the facts that tests tell."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.ledger.domain import household
from services.ledger.domain.household import Household
from services.ledger.handlers import REGISTRY
from shared.contracts.billing import (
    AttemptRegistered,
    ChargeFound,
    InvoiceIssued,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
)
from shared.contracts.event import Actor, Allocation, Event, PremiumLine
from shared.contracts.ledger import EntryPosted
from shared.decider import Cause, Context
from shared.ids import root_of_record

ACCOUNT = "acc_0123456789abcdefghjkmnp"
MONTH = "2026-03"
POLICY = "POL-1"
LINE = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=80831, aptc_minor=62666)

Leg = tuple[str, str, str, int]
Sums = dict[tuple[str, str], int]


def context(position: int = 1, *, type: str = "billing.payment-settled.v1", on: str = "2026-02-10") -> Context:
    return Context(
        tenant="ma",
        shard=3,
        root=root_of_record("billing", 3, position),
        recorded_at=datetime(2026, 2, 10, 12, tzinfo=UTC),
        today=on,
        effective_date=on,
        actor=Actor("system", "billing"),
        correlation="c",
        cause=Cause("e", f"billing.3.{position}", type),
    )


def legs(event: Event) -> list[Leg]:
    assert isinstance(event, EntryPosted)
    return [(one.side, one.code, one.sub_key, one.amount_minor) for one in event.postings]


@dataclass
class Story:
    """A household's facts in order, each decided and folded as the writer does."""

    state: Household = field(default_factory=lambda: household.initial(ACCOUNT))
    events: list[Event] = field(default_factory=list)
    facts: list[Event] = field(default_factory=list)

    def tell(self, *facts: Event) -> list[Event]:
        """Decide facts one after another and return the events of the last."""
        last: list[Event] = []
        for fact in facts:
            self.facts.append(fact)
            now = context(len(self.facts), type=fact.TYPE)
            last = list(REGISTRY.handlers[type(fact)].decide(fact, self.state, now))
            for event in last:
                self.state = household.evolve(self.state, event)
            self.events += last
        return last

    @property
    def entries(self) -> list[EntryPosted]:
        return [event for event in self.events if isinstance(event, EntryPosted)]

    def newest(self, rule: str) -> EntryPosted:
        """Return the last entry of a rule."""
        return [entry for entry in self.entries if entry.rule == rule][-1]

    def cause_of(self, entry: EntryPosted) -> Event:
        """Return the fact that an entry posts."""
        return self.facts[int(entry.cause.rpartition(".")[2]) - 1]

    def sums(self) -> Sums:
        """Debits less credits of every (code, sub-key)."""
        sums: Sums = defaultdict(int)
        for entry in self.entries:
            for one in entry.postings:
                sums[one.code, one.sub_key] += one.amount_minor if one.side == "D" else -one.amount_minor
        return sums

    def by_code(self) -> dict[str, int]:
        """Debits less credits of every code that is not even."""
        sums: dict[str, int] = defaultdict(int)
        for (code, _), minor in self.sums().items():
            sums[code] += minor
        return {code: minor for code, minor in sums.items() if minor}


def given(*facts: Event) -> Story:
    story = Story()
    story.tell(*facts)
    return story


def bill(*lines: PremiumLine, invoice_id: str = "inv_3_1", currency: str = "USD") -> InvoiceIssued:
    chosen = lines or (LINE,)
    return InvoiceIssued(
        account_id=ACCOUNT,
        invoice_id=invoice_id,
        number="0001",
        due_date="2026-02-23",
        currency=currency,
        lines=chosen,
        total_minor=sum(line.member_minor for line in chosen),
    )


def _payment(kind: type[Any], amount_minor: int, payment_id: str, **more: object) -> Any:
    values = {
        "account_id": ACCOUNT,
        "payment_id": payment_id,
        "reference": "REF",
        "attempt_id": "att_3_1",
        "invoice_id": "inv_3_1",
        "processor": "card",
        "processor_ref": "pi_" + payment_id,
        "charge_ref": "ch_" + payment_id,
        "amount_minor": amount_minor,
        "currency": "USD",
        "settled_on": "2026-02-09",
        "settled_at": "2026-02-10T03:00:00.000000Z",
        "case_id": "cas_3_1",
        "reason": "card_declined",
        "registered": True,
        **more,
    }
    return kind(**{name: values[name] for name in (one.name for one in msgspec.structs.fields(kind)) if name in values})


def registered(amount_minor: int = 18165, payment_id: str = "pay_3_1") -> AttemptRegistered:
    return _payment(AttemptRegistered, amount_minor, payment_id)  # type: ignore[no-any-return]


def settled(amount_minor: int = 18165, payment_id: str = "pay_3_1") -> PaymentSettled:
    return _payment(PaymentSettled, amount_minor, payment_id)  # type: ignore[no-any-return]


def found(amount_minor: int = 18165, payment_id: str = "pay_3_1") -> ChargeFound:
    return _payment(ChargeFound, amount_minor, payment_id, processor_ref="pi_other")  # type: ignore[no-any-return]


def declined(amount_minor: int = 18165, payment_id: str = "pay_3_1", *, registered: bool = True) -> PaymentDeclined:
    return _payment(PaymentDeclined, amount_minor, payment_id, registered=registered)  # type: ignore[no-any-return]


def cancelled(amount_minor: int = 18165, payment_id: str = "pay_3_1") -> PaymentCancelled:
    return _payment(PaymentCancelled, amount_minor, payment_id)  # type: ignore[no-any-return]


def allocated(*parts: tuple[str, str, int], payment_id: str = "pay_3_1", unapplied_minor: int = 0) -> PaymentAllocated:
    return PaymentAllocated(
        account_id=ACCOUNT,
        payment_id=payment_id,
        currency="USD",
        allocations=tuple(
            Allocation(invoice_id="inv_3_1", policy_id=policy, coverage_month=month, amount_minor=minor)
            for policy, month, minor in parts or ((POLICY, MONTH, 18165),)
        ),
        unapplied_minor=unapplied_minor,
    )


PAID_200 = (bill(), registered(20_000), settled(20_000), allocated())
"""A bill of 181.65 paid with 200.00: 18.35 are credit."""
