"""One household's entries: what is pending, what its accounts hold, and which entries a fact of billing makes.

Billing has decided; the ledger cannot refuse. It posts, moves what breaks a limit to a suspense account, and says so.
"""

from collections.abc import Iterable, Sequence

import msgspec

from services.ledger.domain.limits import Balances, apply_postings, balance_key, bend, fits
from services.ledger.domain.rules import (
    Step,
    charge_without_pending,
    payment_pending,
    payment_settled,
    pending_undone,
    premium_billed,
    premium_paid,
)
from shared.contracts.billing import (
    AttemptRegistered,
    ChargeFound,
    InvoiceIssued,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, LimitBroken
from shared.decider import Context
from shared.ids import base32, event_id

SHELF_SIZE = 32


class Payment(msgspec.Struct, frozen=True):
    """What is kept of a payment for life, for the returns and chargebacks that come late."""

    settled_minor: int = 0
    allocated: tuple[tuple[str, int], ...] = ()


class Payments(msgspec.Struct, frozen=True):
    """A map by payment id that is cheap to copy: only the new shelf is, until it is full and joins the old one."""

    old: dict[str, Payment] = {}
    new: dict[str, Payment] = {}

    def get(self, payment_id: str) -> Payment | None:
        """Return a payment's summary, None where no money ever came under that id."""
        return self.new.get(payment_id) or self.old.get(payment_id)

    def put(self, payment_id: str, payment: Payment) -> "Payments":
        """Return the map with this summary in it."""
        if len(self.new) < SHELF_SIZE:
            return Payments(self.old, {**self.new, payment_id: payment})
        return Payments({**self.old, **self.new}, {payment_id: payment})


class Household(msgspec.Struct, frozen=True):
    """The state that decisions need: balances of the accounts with a limit, and the payments' summaries.

    A payment is pending while its balance of 2310 is not zero.
    """

    account_id: str
    balances: Balances = {}
    payments: Payments = Payments()

    def balance_minor(self, code: str, currency: str, sub_key: str) -> int:
        """Return a limited account's balance, above zero on its normal side."""
        return self.balances.get(balance_key(code, currency, sub_key), 0)


def initial(stream: str) -> Household:
    """Return the state before the first entry; the stream's id is the account's."""
    return Household(stream)


def evolve(household: Household, event: Event) -> Household:
    """Fold one event of the household's stream."""
    if not isinstance(event, EntryPosted):
        return household
    balances = household.balances.copy()
    apply_postings(balances, event.currency, event.postings)
    payments = household.payments
    if event.payment_id is not None and event.rule in ("PR-05", "PR-05x", "PR-06"):
        known = payments.get(event.payment_id) or Payment()
        payments = payments.put(event.payment_id, _with(known, event))
    return Household(household.account_id, balances, payments)


def _with(payment: Payment, entry: EntryPosted) -> Payment:
    if entry.rule != "PR-06":
        credited = sum(one.amount_minor for one in entry.postings if one.code == "2110")
        return Payment(payment.settled_minor + credited, payment.allocated)
    paid = tuple((one.sub_key, one.amount_minor) for one in entry.postings if one.code == "1210")
    return Payment(payment.settled_minor, payment.allocated + paid)


def post_invoice(fact: InvoiceIssued, household: Household, context: Context) -> Sequence[Event]:
    """PR-01, one entry per policy and month."""
    steps = [premium_billed(fact, line, context.effective_date) for line in fact.lines]
    return post([step for step in steps if step is not None], household, context)


def post_attempt(fact: AttemptRegistered, household: Household, context: Context) -> Sequence[Event]:
    """PR-04."""
    return post((payment_pending(fact, context.effective_date),), household, context)


def post_settlement(fact: PaymentSettled, household: Household, context: Context) -> Sequence[Event]:
    """PR-05 where the payment is pending, else PR-05x."""
    pending_minor = household.balance_minor("2310", fact.currency, fact.payment_id)
    step = payment_settled(fact) if pending_minor else charge_without_pending(fact)
    return post((step,), household, context)


def post_allocation(fact: PaymentAllocated, household: Household, context: Context) -> Sequence[Event]:
    """PR-06, one entry per allocated line."""
    return post([premium_paid(fact, part, context.effective_date) for part in fact.allocations], household, context)


def post_end(fact: PaymentDeclined | PaymentCancelled, household: Household, context: Context) -> Sequence[Event]:
    """PR-07 where the attempt had been registered, else nothing."""
    return post((pending_undone(fact, context.effective_date),), household, context) if fact.registered else ()


def post_found_charge(fact: ChargeFound, household: Household, context: Context) -> Sequence[Event]:
    """PR-05x."""
    return post((charge_without_pending(fact),), household, context)


def post(steps: Iterable[Step], household: Household, context: Context) -> tuple[Event, ...]:
    """Return each step as an entry within the household's limits, followed by the limits it broke.

    An entry's id holds the bytes of its event's id; the group's id those of the cause's root.
    """
    balances = household.balances.copy()
    group_id = f"grp_{context.shard}_{base32(context.root)}"
    events: list[Event] = []
    for step in steps:
        entry_id = f"ent_{context.shard}_{base32(event_id(context.root, len(events)))}"
        postings = step.postings
        broken: list[Event] = []
        if not fits(balances, step.currency, postings):
            postings, overflows = bend(balances, step.currency, postings, household.account_id, entry_id)
            broken = [
                LimitBroken(
                    account_id=household.account_id,
                    entry_id=entry_id,
                    code=over.code,
                    sub_key=over.sub_key,
                    overflow_minor=over.minor,
                )
                for over in overflows
            ]
        apply_postings(balances, step.currency, postings)
        events.append(
            EntryPosted(
                account_id=household.account_id,
                entry_id=entry_id,
                group_id=group_id,
                rule=step.rule,
                cause_type=context.cause.type,
                cause=context.cause.place,
                payment_id=step.payment_id,
                invoice_id=step.invoice_id,
                processor_ref=step.processor_ref,
                effective_date=step.effective_date,
                currency=step.currency,
                postings=postings,
            )
        )
        events.extend(broken)
    return tuple(events)
