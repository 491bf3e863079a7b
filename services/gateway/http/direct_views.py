"""Answers to questions about entries by hand, their reversals, and ledger accounts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.gateway.domain.direct import LedgerAccountStatus, ProposalStatus, opening_status
from services.gateway.http.database import Reads, Row
from services.gateway.http.people import Note, People, notes_of
from services.gateway.http.resources.changes import Approval
from services.gateway.http.resources.direct import (
    Journal,
    LedgerAccount,
    LedgerAccountPage,
    Leg,
    PendingChange,
    Reversal,
    ReversalPage,
)
from shared.clock import rfc3339
from shared.http.paging import at_and_id, cursor_of
from shared.http.problems import Problem

Notes = Mapping[Note, str]


class DirectViews:
    """Reads resources; whether the caller may see a journal or a reversal, and its note, is asked before."""

    def __init__(self, reads: Reads, people: People) -> None:
        self._reads = reads
        self._people = people

    async def journal(self, tenant: str, journal_id: str, *, with_note: bool) -> Journal:
        rows = await self._reads.run("journal", {"id": journal_id})
        if not rows:
            raise Problem("journal_unknown")
        (shard, position, created_at, body, word, reason, field, proposed_by, version, entry_id, *approval) = rows[0]
        status = _status(word)
        notes = await self._notes(tenant, [(proposed_by, version)] if with_note else ())
        return Journal(
            journal_id=journal_id,
            status=status,
            reason=reason if status is ProposalStatus.REFUSED else None,
            field=_pointer(field),
            effective_date=body["effective_date"],
            currency=body["currency"],
            purpose=body["reason"],
            legs=_legs(body["legs"]),
            note=notes.get((proposed_by, version)),
            reference=body.get("reference"),
            proposed_by=proposed_by,
            entry_id=entry_id,
            approval=_approval(*approval),
            created_at=rfc3339(created_at),
            position=f"gateway.{shard}.{position}",
        )

    async def reversal(self, tenant: str, reversal_id: str, *, with_note: bool) -> Reversal:
        rows = await self._reads.run("reversal", {"id": reversal_id})
        return _reversal(rows[0], await self._notes(tenant, _noted(rows) if with_note else ()))

    async def reversals(
        self, tenant: str, entry_id: str, cursor: str | None, limit: int, *, with_notes: bool
    ) -> ReversalPage:
        """Return a page of what was asked for to take an entry back, newest first."""
        before_at, before_id = at_and_id(cursor)
        parameters = {"tenant": tenant, "entry_id": entry_id, "before_at": before_at, "before_id": before_id}
        rows = await self._reads.run("reversals", {**parameters, "limit": limit + 1})
        notes = await self._notes(tenant, _noted(rows[:limit]) if with_notes else ())
        last = rows[limit - 1] if len(rows) > limit else None
        return ReversalPage(
            items=tuple(_reversal(row, notes) for row in rows[:limit]),
            next=cursor_of(last[3], last[0]) if last else None,
        )

    async def _notes(self, tenant: str, noted: Sequence[Note]) -> Notes:
        wanted = {(person, version) for person, version in noted if person is not None and version}
        return await notes_of(self._people, tenant, wanted) if wanted else {}

    async def proposal(self, tenant: str, subject: str, digest: str) -> str:
        """Return the proposal about a subject that has this digest: the one that waits, else the newest."""
        rows = await self._reads.run("proposal", {"tenant": tenant, "subject": subject, "digest": digest})
        if not rows:
            raise Problem("proposal_unknown", "/digest")
        proposal_id: str = rows[0][0]
        return proposal_id

    async def opened(self, tenant: str, change_id: str) -> LedgerAccount:
        """Return a ledger account to who asked that it be opened: as it stands, once that has come about."""
        (row,) = await self._reads.run("opening", {"id": change_id})
        return _asked(row) or await self.ledger_account(tenant, row[0])

    async def ledger_account(self, tenant: str, account_id: str) -> LedgerAccount:
        """Return a ledger account as the ledger knows it, else as it was asked for last."""
        named = {"tenant": tenant, "id": account_id}
        rows = await self._reads.run("ledger_account", named)
        if rows:
            return _account(rows[0])
        rows = await self._reads.run("openings", named)
        asked = _asked(rows[0]) if rows else None
        if asked is None:
            raise Problem("ledger_account_unknown")
        return asked

    async def ledger_accounts(
        self, tenant: str, code: str | None, status: LedgerAccountStatus | None, cursor: str | None, limit: int
    ) -> LedgerAccountPage:
        """Return a page of the ledger accounts that the ledger knows, those it came to know last first."""
        before_at, before_id = at_and_id(cursor)
        parameters = {"tenant": tenant, "code": code, "status": status, "before_at": before_at, "before_id": before_id}
        rows = await self._reads.run("ledger_accounts", {**parameters, "limit": limit + 1})
        last = rows[limit - 1] if len(rows) > limit else None
        return LedgerAccountPage(
            items=tuple(_account(row) for row in rows[:limit]),
            next=cursor_of(last[6], last[0]) if last else None,
        )


def _status(word: str | None) -> ProposalStatus:
    return ProposalStatus(word) if word else ProposalStatus.ACCEPTED


def _pointer(field: str | None) -> str | None:
    """Return a field that the ledger names (`legs.0.code`) as a JSON pointer."""
    return None if field is None else "/" + field.replace(".", "/")


def _legs(legs: Sequence[Mapping[str, object]]) -> tuple[Leg, ...]:
    return tuple(msgspec.convert(leg, Leg) for leg in legs)


def _approval(needed: int | None, given: int, digest: str, approve_by: datetime | None) -> Approval | None:
    until = rfc3339(approve_by) if approve_by else None
    return Approval(needed=needed, given=given, digest=digest, approve_by=until) if needed else None


def _noted(rows: Sequence[Row]) -> list[Note]:
    """Return whose the notes of reversals are, and their versions."""
    return [(row[8], row[9]) for row in rows]


def _reversal(row: Row, notes: Notes) -> Reversal:
    (reversal_id, shard, position, created_at, body, word, reason, field, proposed_by, version, entry_id, needed, given,
     digest, approve_by, currency, legs) = row  # fmt: skip
    status = _status(word)
    return Reversal(
        reversal_id=reversal_id,
        entry_id=body["entry_id"],
        status=status,
        reason=reason if status is ProposalStatus.REFUSED else None,
        field=_pointer(field),
        effective_date=body["effective_date"],
        currency=currency,
        purpose=body["reason"],
        parts=_legs(body["legs"]),
        legs=None if legs is None else _legs(legs),
        note=notes.get((proposed_by, version)),
        proposed_by=proposed_by,
        reversing_entry_id=entry_id,
        approval=_approval(needed, given, digest, approve_by),
        created_at=rfc3339(created_at),
        position=f"gateway.{shard}.{position}",
    )


def _pending(word: str | None, change: str, *approval: Any) -> PendingChange | None:
    waits = _approval(*approval) if word == ProposalStatus.AWAITING_APPROVAL else None
    return PendingChange(change=change, approval=waits) if waits else None  # type: ignore[arg-type]


def _account(row: Row) -> LedgerAccount:
    """Return a ledger account from a row of `ledger_account`."""
    (account_id, code, sub_key, currency, shard, position, _, status, word, reason, *pending) = row
    opening = None if status else opening_status(word)
    return LedgerAccount(
        ledger_account_id=account_id,
        code=code,
        sub_key=sub_key,
        currency=currency,
        status=opening or LedgerAccountStatus(status),
        reason=reason if word == ProposalStatus.REFUSED else None,
        pending=_pending(word, *pending),
        position=f"ledger.{shard}.{position}",
    )


def _asked(row: Row) -> LedgerAccount | None:
    """Return a ledger account from a row of `opening`; None where it was opened by that."""
    (account_id, code, sub_key, currency, shard, position, word, reason, *pending) = row
    opening = opening_status(word)
    if opening is None:
        return None
    return LedgerAccount(
        ledger_account_id=account_id,
        code=code,
        sub_key=sub_key,
        currency=currency,
        status=opening,
        reason=reason if opening is LedgerAccountStatus.REFUSED else None,
        pending=_pending(word, *pending),
        position=f"gateway.{shard}.{position}",
    )
