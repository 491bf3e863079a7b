"""Credit between households: sent, then received or given back."""

from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import send, settle_up
from services.billing.domain.requests import closed, refused
from shared.contracts.billing import (
    Refusal,
    TransferCompleted,
    TransferReceived,
    TransferRejected,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Event
from shared.contracts.gateway import TransferRequested
from shared.decider import Context


def request_transfer(request: TransferRequested, state: Household, context: Context) -> tuple[Event, ...]:
    """Send plain credit to another household; a taken id adds nothing."""
    if request.transfer_id in state.transfers:
        return ()
    reason = closed(state)
    if reason is None and request.to_account_id == state.account_id:
        reason = Refusal.SAME_ACCOUNT
    if reason is None and request.amount_minor > state.credit_minor(request.currency):
        reason = Refusal.CREDIT_TOO_SMALL
    if reason is not None:
        return refused(state, request.transfer_id, reason)
    draft = Draft(state, context)
    to = request.to_account_id
    send(draft, request.transfer_id, to, request.amount_minor, request.currency, request.reason)
    return draft.events


def receive(fact: TransferSent, state: Household, context: Context) -> tuple[Event, ...]:
    """Take another household's credit, or give it back; of one that is part of this one by now it goes on."""
    reason = None
    if not state.opened:
        reason = Refusal.ACCOUNT_UNKNOWN
    elif state.moved_to is not None and fact.reason not in ("merge", "moved"):
        reason = Refusal.ACCOUNT_MOVED
    if reason is not None:
        return (
            TransferRejected(
                account_id=state.account_id,
                transfer_id=fact.transfer_id,
                routed_to=fact.account_id,
                amount_minor=fact.amount_minor,
                currency=fact.currency,
                reason=reason,
            ),
        )
    draft = Draft(state, context)
    draft.add(
        TransferReceived(
            account_id=state.account_id,
            transfer_id=fact.transfer_id,
            routed_to=fact.account_id,
            amount_minor=fact.amount_minor,
            currency=fact.currency,
        )
    )
    settle_up(draft)
    return draft.events


def complete(fact: TransferReceived, state: Household, context: Context) -> tuple[Event, ...]:
    """Know that the credit arrived."""
    if not _is_under_way(fact.transfer_id, state):
        return ()
    return (
        TransferCompleted(
            account_id=state.account_id,
            transfer_id=fact.transfer_id,
            amount_minor=fact.amount_minor,
            currency=fact.currency,
        ),
    )


def take_back(fact: TransferRejected, state: Household, context: Context) -> tuple[Event, ...]:
    """Have the credit again that the other household would not take."""
    if not _is_under_way(fact.transfer_id, state):
        return ()
    draft = Draft(state, context)
    draft.add(
        TransferReturned(
            account_id=state.account_id,
            transfer_id=fact.transfer_id,
            amount_minor=fact.amount_minor,
            currency=fact.currency,
            reason=fact.reason,
        )
    )
    settle_up(draft)
    return draft.events


def _is_under_way(transfer_id: str, state: Household) -> bool:
    transfer = state.transfers.get(transfer_id)
    return transfer is not None and transfer.under_way
