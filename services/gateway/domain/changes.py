"""Where requests, refunds, transfers and merges are: `accepted` until billing or the ledger speaks."""

from enum import StrEnum


class RequestStatus(StrEnum):
    """Where a request to change what exists is; the last two are final."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"


class CaseStatus(StrEnum):
    """Whether somebody still has to say what becomes of money that came twice."""

    OPEN = "open"
    DECIDED = "decided"


class RefundStatus(StrEnum):
    """Where a refund is; a completed one may still come back as `bounced`."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SENT = "sent"
    COMPLETED = "completed"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"


class TransferStatus(StrEnum):
    """Where a transfer is; `returned`: the other household could not take it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNDER_WAY = "under_way"
    COMPLETED = "completed"
    RETURNED = "returned"


class MergeStatus(StrEnum):
    """Where a merge is; `ended`: the other household could not take this one in."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PROPOSED = "proposed"
    COMPLETED = "completed"
    ENDED = "ended"


REFUND_TELLS_WHY = frozenset({RefundStatus.REFUSED, RefundStatus.BOUNCED, RefundStatus.CANCELLED})
FINAL_REQUEST = frozenset({RequestStatus.DONE, RequestStatus.REFUSED})
FINAL_REFUND = frozenset({RefundStatus.REFUSED, RefundStatus.COMPLETED, RefundStatus.BOUNCED, RefundStatus.CANCELLED})
FINAL_TRANSFER = frozenset({TransferStatus.REFUSED, TransferStatus.COMPLETED, TransferStatus.RETURNED})
FINAL_MERGE = frozenset({MergeStatus.REFUSED, MergeStatus.COMPLETED, MergeStatus.ENDED})


def request_status(done: bool, refused: bool) -> RequestStatus:
    """Return a request's status; one that is done was not refused."""
    if done:
        return RequestStatus.DONE
    return RequestStatus.REFUSED if refused else RequestStatus.ACCEPTED


def transfer_status(billing: TransferStatus | None, ledger_posted: bool) -> TransferStatus:
    """Return a transfer's status: `under_way` until the ledger, too, has all that billing says has happened."""
    if billing is None:
        return TransferStatus.ACCEPTED
    if billing in (TransferStatus.COMPLETED, TransferStatus.RETURNED) and not ledger_posted:
        return TransferStatus.UNDER_WAY
    return billing
