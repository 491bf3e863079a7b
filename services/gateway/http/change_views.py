"""Answers to questions about requests that change what exists, and about what comes of them."""

from services.gateway.domain.changes import RequestStatus, request_status
from services.gateway.http.database import Reads
from services.gateway.http.resources.changes import Request
from shared.clock import rfc3339


class ChangeViews:
    """Reads resources; whether the caller may see them is asked before."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def request(self, request_id: str) -> Request | None:
        rows = await self._reads.run("request", {"id": request_id})
        if not rows:
            return None
        _, operation, subject, account_id, shard, position, created_at, done_at, reason = rows[0]
        status = request_status(done_at is not None, reason is not None)
        return Request(
            request_id=request_id,
            operation=operation,
            subject=subject,
            account_id=account_id,
            status=status,
            reason=reason if status is RequestStatus.REFUSED else None,
            created_at=rfc3339(created_at),
            position=f"gateway.{shard}.{position}",
        )
