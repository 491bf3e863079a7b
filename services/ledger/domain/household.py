"""One household's entries: what is pending, what its accounts hold, and which entries a fact of billing makes.

Billing has decided; the ledger cannot refuse. It posts, moves what breaks a limit to a suspense account, and says so.
"""

from collections.abc import Iterable, Sequence

import msgspec

from services.ledger.domain import money_back as back
from services.ledger.domain.entries import entry_of
from services.ledger.domain.limits import Balances, balance_key, bend, fits, posted
from services.ledger.domain.rules import (
    Step,
    charge_without_pending,
    check_posted,
    payment_pending,
    payment_settled,
    pending_undone,
    premium_billed,
    premium_paid,
)
from services.ledger.domain.standing import Standing, after
from shared.contracts.billing import (
    AttemptRegistered,
    ChargebackDebited,
    ChargebackLost,
    ChargebackWon,
    ChargeFound,
    CheckPosted,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeallocated,
    PaymentDeclined,
    PaymentReturned,
    PaymentSettled,
    RecoveryPaid,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, LimitBroken
from shared.decider import Context


class Household(msgspec.Struct, frozen=True, gc=False):
    """The state that decisions need: balances of the accounts with a limit, and entries that may be taken back.

    A payment is pending while its balance of 2310 is not zero.
    """

    account_id: str
    balances: Balances = Balances()
    standing: Standing = Standing()

    def balance_minor(self, code: str, currency: str, sub_key: str) -> int:
        """Return a limited account's balance, above zero on its normal side."""
        return self.balances.minor(balance_key(code, currency, sub_key))


def initial(stream: str) -> Household:
    """Return the state before the first entry; the stream's id is the account's."""
    return Household(stream)


def evolve(household: Household, event: Event) -> Household:
    """Fold one event of the household's stream."""
    if not isinstance(event, EntryPosted):
        return household
    balances = posted(household.balances, event.currency, event.postings)
    return Household(household.account_id, balances, after(household.standing, event))


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


def post_check(fact: CheckPosted, household: Household, context: Context) -> Sequence[Event]:
    """PR-05x of a cheque."""
    return post((check_posted(fact),), household, context)


def post_deallocation(fact: PaymentDeallocated, household: Household, context: Context) -> Sequence[Event]:
    """PR-06r per line and per entry that had paid it."""
    return post(back.premium_unpaid(fact, household.standing, context.effective_date), household, context)


def post_void(fact: InvoiceVoided, household: Household, context: Context) -> Sequence[Event]:
    """PR-21 per line."""
    return post(back.premium_unbilled(fact, household.standing, context.effective_date), household, context)


def post_refund(fact: RefundOpened, household: Household, context: Context) -> Sequence[Event]:
    """PR-09a."""
    return post((back.refund_set_aside(fact, context.effective_date),), household, context)


def post_refund_sent(fact: RefundSent, household: Household, context: Context) -> Sequence[Event]:
    """PR-09b."""
    return post((back.refund_sent(fact),), household, context)


def post_refund_bounced(fact: RefundBounced, household: Household, context: Context) -> Sequence[Event]:
    """PR-09c and PR-09ar."""
    return post(back.refund_bounced(fact, household.standing), household, context)


def post_refund_cancelled(fact: RefundCancelled, household: Household, context: Context) -> Sequence[Event]:
    """PR-09ar."""
    return post(back.refund_undone(fact, household.standing, context.effective_date), household, context)


def post_chargeback(fact: ChargebackDebited, household: Household, context: Context) -> Sequence[Event]:
    """PR-10a."""
    return post((back.chargeback_debited(fact),), household, context)


def post_chargeback_won(fact: ChargebackWon, household: Household, context: Context) -> Sequence[Event]:
    """PR-10b."""
    return post(back.chargeback_won(fact, household.standing), household, context)


def post_chargeback_lost(fact: ChargebackLost, household: Household, context: Context) -> Sequence[Event]:
    """PR-10c."""
    return post((back.chargeback_lost(fact, context.effective_date),), household, context)


def post_return(fact: PaymentReturned, household: Household, context: Context) -> Sequence[Event]:
    """PR-08."""
    return post((back.payment_returned(fact),), household, context)


def post_recovery(fact: RecoveryPaid, household: Household, context: Context) -> Sequence[Event]:
    """PR-25."""
    return post((back.recovery_paid(fact, context.effective_date),), household, context)


def post_transfer(fact: TransferSent, household: Household, context: Context) -> Sequence[Event]:
    """PR-16a."""
    return post((back.transfer_sent(fact, context.effective_date),), household, context)


def post_transfer_received(fact: TransferReceived, household: Household, context: Context) -> Sequence[Event]:
    """PR-16b."""
    return post((back.transfer_received(fact, context.effective_date),), household, context)


def post_transfer_returned(fact: TransferReturned, household: Household, context: Context) -> Sequence[Event]:
    """PR-16r."""
    return post(back.transfer_returned(fact, household.standing, context.effective_date), household, context)


def post(steps: Iterable[Step], household: Household, context: Context) -> tuple[Event, ...]:
    """Return each step as an entry within the household's limits, followed by the limits it broke.

    An amount or day that no entry can have raises ValueError: the fact is parked.
    """
    balances = household.balances
    events: list[Event] = []
    before: EntryPosted | None = None
    for step in steps:
        if before is not None:
            balances = posted(balances, before.currency, before.postings)
        entry = entry_of(step, household.account_id, context, len(events))
        broken: tuple[Event, ...] = ()
        if not fits(balances, entry.currency, entry.postings):
            entry, broken = _within_limits(entry, balances)
        events.append(entry)
        events.extend(broken)
        before = entry
    return tuple(events)


def _within_limits(entry: EntryPosted, balances: Balances) -> tuple[EntryPosted, tuple[Event, ...]]:
    """Return the entry with what overflows moved to suspense, and one event for each limit that it broke."""
    postings, overflows = bend(balances, entry.currency, entry.postings, entry.account_id, entry.entry_id)
    broken = tuple(
        LimitBroken(
            account_id=entry.account_id,
            entry_id=entry.entry_id,
            code=over.code,
            sub_key=over.sub_key,
            overflow_minor=over.minor,
        )
        for over in overflows
    )
    return msgspec.structs.replace(entry, postings=postings), broken
