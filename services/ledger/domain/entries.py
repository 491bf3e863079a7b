"""Steps as entries: ids from the cause's root, days that are days, amounts that an account can hold."""

from collections.abc import Iterable
from datetime import date

from services.ledger.domain.rules import Step
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.decider import Context
from shared.ids import base32, event_text
from shared.money import MAX_MINOR


def entry_of(step: Step, account_id: str, context: Context, index: int) -> EntryPosted:
    """Return a step as the command's `index`-th event; the entry's id holds the event's, the group's the cause's root.

    A day that no calendar has, or an amount that no account can hold, raises ValueError: the fact is parked.
    """
    checked_day(step.effective_date)
    for posting in step.postings:
        if not 0 < posting.amount_minor <= MAX_MINOR:
            thing = step.invoice_id or step.payment_id or context.cause.place
            raise ValueError(f"{step.rule} of {thing} has a posting that is not between 1 and {MAX_MINOR}")
    root = base32(context.root)
    return EntryPosted(
        account_id=account_id,
        entry_id=f"ent_{context.shard}_{event_text(context.root, root, index)}",
        group_id=f"grp_{context.shard}_{root}",
        rule=step.rule,
        cause_type=context.cause.type,
        cause=context.cause.place,
        payment_id=step.payment_id,
        invoice_id=step.invoice_id,
        processor_ref=step.processor_ref,
        effective_date=step.effective_date,
        currency=step.currency,
        postings=step.postings,
        reverses=step.reverses,
        case_id=step.case_id,
        reference=step.reference,
        proposal_id=step.proposal_id,
    )


def followed_by(first: Event, steps: Iterable[Step], account_id: str, context: Context) -> tuple[Event, ...]:
    """Return an event of a house stream and the entries that it causes; house accounts have no limits here."""
    entries = [entry_of(step, account_id, context, index) for index, step in enumerate(steps, start=1)]
    return (first, *entries)


def checked_day(day: str) -> str:
    """Return the day; one that no calendar has raises ValueError."""
    date.fromisoformat(day)
    return day
