"""Requests that change what exists, and what comes of them: cases, refunds, transfers, merges."""

from services.gateway.domain.changes import RequestStatus
from services.gateway.http.resources.base import Instant, Position, Reason, Resource


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
