"""Answers to questions about requests that change what exists, and about what comes of them."""

from collections.abc import Sequence

from services.gateway.domain.changes import (
    REFUND_TELLS_WHY,
    CaseStatus,
    MergeStatus,
    RefundStatus,
    RequestStatus,
    TransferStatus,
    request_status,
    transfer_status,
)
from services.gateway.http.database import Reads, Row
from services.gateway.http.resources.changes import (
    Approval,
    DuplicateCase,
    DuplicateCasePage,
    Merge,
    Refund,
    Request,
    Transfer,
)
from shared.clock import rfc3339
from shared.http.paging import at_and_id, cursor_of
from shared.http.problems import Problem
from shared.http.resource import Amount


class ChangeViews:
    """Reads resources; whether the caller may see them is asked before. What is not there is `…_unknown`."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def _row(self, statement: str, thing_id: str) -> Row:
        rows = await self._reads.run(statement, {"id": thing_id})
        if not rows:
            raise Problem(f"{statement}_unknown")
        return rows[0]

    async def request(self, request_id: str) -> Request:
        row = await self._row("request", request_id)
        operation, subject, account_id, shard, position, created_at, done_at, reason = row
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

    async def case(self, case_id: str) -> DuplicateCase:
        return _case_of(await self._row("case", case_id))

    async def case_page(
        self, tenant: str, accounts: Sequence[str] | None, status: CaseStatus | None, cursor: str | None, limit: int
    ) -> DuplicateCasePage:
        """Return a page of the tenant's cases, newest first; of these accounts only, where some are given."""
        before_at, before_id = at_and_id(cursor)
        parameters = {
            "tenant": tenant,
            "accounts": accounts,
            "status": status,
            "before_at": before_at,
            "before_id": before_id,
            "limit": limit + 1,
        }
        rows = await self._reads.run("cases" if accounts is None else "cases_of", parameters)
        items = tuple(_case_of(row) for row in rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        return DuplicateCasePage(items=items, next=cursor_of(last[11], last[0]) if last else None)

    async def refund(self, refund_id: str) -> Refund:
        """Return a refund, asked for or of a case."""
        (account_id, source, shard, position, created_at, payment_id, minor, currency, purpose, word, reason, case_id,
         needed, given, digest, approve_by) = await self._row("refund", refund_id)  # fmt: skip
        status = RefundStatus(word) if word else RefundStatus.ACCEPTED
        until = rfc3339(approve_by) if approve_by else None
        return Refund(
            refund_id=refund_id,
            account_id=account_id,
            payment_id=payment_id,
            amount=Amount(minor=minor, currency=currency),
            purpose=purpose,
            status=status,
            reason=reason if status in REFUND_TELLS_WHY else None,
            case_id=case_id,
            approval=Approval(needed=needed, given=given, digest=digest, approve_by=until) if needed else None,
            created_at=rfc3339(created_at),
            position=f"{source}.{shard}.{position}",
        )

    async def transfer(self, transfer_id: str) -> Transfer:
        """Return a transfer, asked for or of a merge."""
        (account_id, source, shard, position, created_at, to_account_id, minor, currency, purpose, word,
         reason, posted) = await self._row("transfer", transfer_id)  # fmt: skip
        return Transfer(
            transfer_id=transfer_id,
            account_id=account_id,
            to_account_id=to_account_id,
            amount=Amount(minor=minor, currency=currency),
            purpose=purpose,
            status=transfer_status(TransferStatus(word) if word else None, posted),
            reason=reason,
            created_at=rfc3339(created_at),
            position=f"{source}.{shard}.{position}",
        )

    async def merge(self, merge_id: str) -> Merge:
        account_id, shard, position, created_at, to_account_id, word, reason = await self._row("merge", merge_id)
        return Merge(
            merge_id=merge_id,
            account_id=account_id,
            to_account_id=to_account_id,
            status=MergeStatus(word) if word else MergeStatus.ACCEPTED,
            reason=reason,
            created_at=rfc3339(created_at),
            position=f"gateway.{shard}.{position}",
        )


def _case_of(row: Row) -> DuplicateCase:
    (case_id, account_id, rule, payment_id, twin_payment_id, invoice_id, reference, minor, currency, outcome, refund_id,
     opened_at, decided_at) = row  # fmt: skip
    return DuplicateCase(
        case_id=case_id,
        account_id=account_id,
        status=CaseStatus.OPEN if outcome is None else CaseStatus.DECIDED,
        rule=rule,
        payment_id=payment_id,
        twin_payment_id=twin_payment_id,
        invoice_id=invoice_id,
        reference=reference,
        amount=Amount(minor=minor, currency=currency),
        outcome=outcome,
        refund_id=refund_id,
        opened_at=rfc3339(opened_at),
        decided_at=rfc3339(decided_at) if decided_at else None,
    )
