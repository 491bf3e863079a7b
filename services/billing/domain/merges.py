"""Two households that become one: asked, answered, then what is not paid and what is credit moves over.

Streams never merge. The old household stays and knows where it moved to; what comes late goes on from there.
"""

from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import move_on, spend_credit
from services.billing.domain.requests import closed, invoice_number, refused
from shared.contracts.billing import (
    AccountMoved,
    InvoiceIssued,
    MergeAnswered,
    MergeEnded,
    MergeProposed,
    MonthsMoved,
    Refusal,
)
from shared.contracts.event import Event
from shared.contracts.gateway import MergeRequested
from shared.decider import Context
from shared.ids import thing_id


def request_merge(request: MergeRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Ask the other household, unless something is under way here."""
    reason = closed(state)
    if reason is None and request.to_account_id == state.account_id:
        reason = Refusal.SAME_ACCOUNT
    if reason is None and state.is_busy():
        reason = Refusal.ACCOUNT_BUSY
    if reason is not None:
        return refused(state, request.merge_id, reason)
    return (MergeProposed(account_id=state.account_id, merge_id=request.merge_id, routed_to=request.to_account_id),)


def answer_merge(fact: MergeProposed, state: Household, context: Context) -> tuple[Event, ...]:
    """Say whether this household takes the other in."""
    return (
        MergeAnswered(
            account_id=state.account_id, merge_id=fact.merge_id, routed_to=fact.account_id, reason=closed(state)
        ),
    )


def end_merge(fact: MergeAnswered, state: Household, context: Context) -> tuple[Event, ...]:
    """Move over, or stay."""
    if state.merge_id != fact.merge_id or state.moved_to is not None:
        return ()
    if fact.reason is not None:
        return (MergeEnded(account_id=state.account_id, merge_id=fact.merge_id, reason=fact.reason),)
    draft = Draft(state, context)
    draft.add(AccountMoved(account_id=state.account_id, merge_id=fact.merge_id, to_account_id=fact.account_id))
    move_on(draft, fact.account_id, "merge")
    return draft.events


def take_months(fact: MonthsMoved, state: Household, context: Context) -> tuple[Event, ...]:
    """Bill what the other household had not paid; a household that moved on itself passes it on."""
    if state.moved_to is not None:
        return (
            MonthsMoved(
                account_id=state.account_id,
                merge_id=fact.merge_id,
                routed_to=state.moved_to,
                invoice_id=fact.invoice_id,
                due_date=fact.due_date,
                currency=fact.currency,
                lines=fact.lines,
            ),
        )
    invoice_id = thing_id("inv", context.shard, context.root)
    draft = Draft(state, context)
    draft.add(
        InvoiceIssued(
            account_id=state.account_id,
            invoice_id=invoice_id,
            number=invoice_number(invoice_id),
            due_date=fact.due_date,
            currency=fact.currency,
            lines=fact.lines,
            total_minor=sum(line.member_minor for line in fact.lines),
        )
    )
    spend_credit(draft, invoice_id)
    return draft.events
