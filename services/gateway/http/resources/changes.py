"""Requests that change what exists, and what comes of them: cases, refunds, transfers, merges."""

from typing import Literal

from services.gateway.domain.changes import CaseStatus, MergeStatus, RefundStatus, RequestStatus, TransferStatus
from shared.contracts.billing import CaseRule, RefundReason, TransferReason
from shared.http.resource import Amount, Instant, Next, Position, Reason, Resource


class Request(Resource, frozen=True, kw_only=True):
    """A request to change a thing that exists (`subject`); `done` is said when it was taken, `refused` why not."""

    request_id: str
    operation: str
    subject: str
    account_id: str | None
    status: RequestStatus
    reason: Reason = None
    created_at: Instant
    position: Position


class DuplicateCase(Resource, frozen=True, kw_only=True):
    """Money that nobody meant to give: it waits as credit until somebody decides.

    `rule`: `charged_twice` (a second charge beside the payment's own), `late_success` (a charge after the payment had
    ended without one), `paid_twice` (the bill was paid already). It came by `payment_id`; `twin_payment_id` had paid.
    `withdrawn`: the money went back by other ways before anybody decided.
    """

    case_id: str
    account_id: str
    status: CaseStatus
    rule: CaseRule
    payment_id: str
    twin_payment_id: str | None
    invoice_id: str | None
    reference: str
    amount: Amount
    outcome: Literal["refund", "credit", "not_a_duplicate", "withdrawn"] | None
    refund_id: str | None
    opened_at: Instant
    decided_at: Instant | None


class DuplicateCasePage(Resource, frozen=True, kw_only=True):
    items: tuple[DuplicateCase, ...]
    next: Next = None


class Approval(Resource, frozen=True, kw_only=True):
    """What a large refund, or an entry by hand, waits for: `needed` different people who approve this very `digest`."""

    needed: int
    given: int
    digest: str
    approve_by: Instant | None


class Refund(Resource, frozen=True, kw_only=True):
    """Money of a payment that goes back the way it came; `purpose` is the `reason` that it was asked for with.

    A completed refund may still bounce: the money is the household's credit again.
    """

    refund_id: str
    account_id: str
    payment_id: str
    amount: Amount
    purpose: RefundReason
    status: RefundStatus
    reason: Reason = None
    case_id: str | None = None
    approval: Approval | None = None
    created_at: Instant
    position: Position


class Transfer(Resource, frozen=True, kw_only=True):
    """Credit on its way to another household; `purpose` is the `reason` that it was asked for with."""

    transfer_id: str
    account_id: str
    to_account_id: str
    amount: Amount
    purpose: TransferReason
    status: TransferStatus
    reason: Reason = None
    created_at: Instant
    position: Position


class Merge(Resource, frozen=True, kw_only=True):
    """A household that becomes part of another."""

    merge_id: str
    account_id: str
    to_account_id: str
    status: MergeStatus
    reason: Reason = None
    created_at: Instant
    position: Position
