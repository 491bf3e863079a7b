"""Answers to finance: bank statements, days, exceptions."""

from collections.abc import Mapping
from datetime import UTC, datetime, time

import msgspec

from services.gateway.domain.reconciliation import ExceptionState
from services.gateway.domain.statements import StatementStatus, statement_status
from services.gateway.http.database import Reads, Row
from services.gateway.http.people import Note, People, notes_of
from services.gateway.http.resources.finance import (
    BankStatement,
    OpenExceptions,
    ReconciledDay,
    ReconciliationDay,
    ReconciliationException,
    ReconciliationExceptionPage,
)
from shared.clock import rfc3339
from shared.http.paging import at_and_id, cursor_of
from shared.http.positions import Place, places_text
from shared.http.problems import Problem


class FinanceViews:
    """Reads resources; whether the caller may see them is asked before. What is not there is `…_unknown`."""

    def __init__(self, reads: Reads, people: People) -> None:
        self._reads = reads
        self._people = people

    async def statement(self, statement_id: str) -> BankStatement:
        rows = await self._reads.run("statement", {"id": statement_id})
        if not rows:
            raise Problem("statement_unknown")
        (shard, position, created_at, bank_account, day, currency, opening, closing, lines, imported_at,
         reason) = rows[0]  # fmt: skip
        status = statement_status(imported_at is not None, reason is not None)
        return BankStatement(
            statement_id=statement_id,
            bank_account=bank_account,
            day=day,
            currency=currency,
            opening_minor=opening,
            closing_minor=closing,
            lines=lines,
            status=status,
            reason=reason if status is StatementStatus.REFUSED else None,
            created_at=rfc3339(created_at),
            position=f"gateway.{shard}.{position}",
        )

    async def day(self, tenant: str, day: str) -> ReconciliationDay:
        """Return what a day came to, which is one of the calendar; one that nothing was reported of is unknown."""
        rows = await self._reads.run("day", {"tenant": tenant, "day": day})
        if not rows:
            raise Problem("day_unknown")
        ends: dict[int, int] = {}
        for row in rows:
            ends[row[9]] = max(row[10], ends.get(row[9], 0))
        return ReconciliationDay(
            day=day,
            accounts=tuple(_reconciled(row) for row in rows),
            position=places_text(Place("ledger", shard, position) for shard, position in sorted(ends.items())),
        )

    async def exceptions(
        self,
        tenant: str,
        state: ExceptionState | None,
        account: str | None,
        cursor: str | None,
        limit: int,
        *,
        with_notes: bool,
    ) -> ReconciliationExceptionPage:
        """Return a page of exceptions, the oldest first; notes are read only for those who may see them."""
        after_at, after_id = at_and_id(cursor)
        parameters = {
            "tenant": tenant,
            "state": state,
            "account": account,
            "after_day": after_at.date() if after_at else None,
            "after_id": after_id,
            "limit": limit + 1,
        }
        rows = await self._reads.run("exceptions" if state is None else "exceptions_in", parameters)
        shown = rows[:limit]
        wanted = {(row[10], row[11]) for row in shown if row[10] is not None and row[11] > 0} if with_notes else set()
        notes = await notes_of(self._people, tenant, wanted) if wanted else {}
        last = shown[-1] if len(rows) > limit else None
        return ReconciliationExceptionPage(
            items=tuple(_exception(row, notes) for row in shown),
            next=cursor_of(datetime.combine(last[6], time(), UTC), last[0]) if last else None,
        )


def _reconciled(row: Row) -> ReconciledDay:
    account, sub_key, currency, book, bank, processor, difference, unexplained, buckets = row[:9]
    return ReconciledDay(
        account=account,
        sub_key=sub_key,
        currency=currency,
        book_minor=book,
        bank_minor=bank,
        processor_minor=processor,
        difference_minor=difference,
        unexplained_minor=unexplained,
        open_exceptions=tuple(msgspec.convert(bucket, OpenExceptions) for bucket in buckets),
    )


def _exception(row: Row, notes: Mapping[Note, str]) -> ReconciliationException:
    (exception_id, account, sub_key, currency, kind, minor, since, state, reason, references, explained_by,
     note_version) = row  # fmt: skip
    return ReconciliationException(
        id=exception_id,
        account=account,
        sub_key=sub_key,
        currency=currency,
        kind=kind,
        minor=minor,
        since=since.isoformat(),
        state=ExceptionState(state),
        reason=reason,
        references=tuple(references),
        explained_by=explained_by,
        note=notes.get((explained_by, note_version)),
    )
