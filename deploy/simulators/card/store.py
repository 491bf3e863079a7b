"""The durable store: SQLite with a write-ahead log, and one commit for all calls that are ready together.

A write goes into the open transaction at once, so the next read sees it; `committed` returns when it is on record.
No call may answer before that, not even one that only read. A store that cannot write ends the program: what it
had not committed was not acknowledged.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from deploy.simulators.card.objects import (
    BalanceTransaction,
    Charge,
    Dispute,
    Event,
    FraudWarning,
    Intent,
    Kept,
    Payout,
    Refund,
)

CANNOT_WRITE = 70
T = TypeVar("T", Intent, Charge, Refund, Dispute, BalanceTransaction, Payout)
SqlValue = str | int | float | bytes | None

_SAVE = """
INSERT INTO object (id, kind, created, intent, source, type, payment_id, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET data = excluded.data
"""
_KIND_OF = {
    Intent: "payment_intent",
    Charge: "charge",
    Refund: "refund",
    Dispute: "dispute",
    BalanceTransaction: "balance_transaction",
    Payout: "payout",
}


class Found(NamedTuple):
    kind: str
    data: bytes


class Columns(NamedTuple):
    """What a list can be filtered by."""

    intent: str | None = None
    source: str | None = None
    type: str | None = None
    payment_id: str | None = None


class Store:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "card.sqlite3", isolation_level=None, cached_statements=256)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 2000")
        self._db.execute("PRAGMA cache_size = -32768")
        self._db.executescript((Path(__file__).parent / "schema.sql").read_text())
        self._open: asyncio.Future[None] | None = None
        self._encode = msgspec.json.Encoder().encode

    def close(self) -> None:
        if self._open is not None:
            self._commit()
        self._db.close()

    def write(self, sql: str, *values: SqlValue) -> int:
        """Run a statement in the open transaction; return the row id that an INSERT made."""
        if self._open is None:
            loop = asyncio.get_running_loop()
            self._run("BEGIN IMMEDIATE", ())
            self._open = loop.create_future()
            loop.call_soon(self._commit_soon)
        return self._run(sql, values)

    def _run(self, sql: str, values: tuple[SqlValue, ...]) -> int:
        try:
            return self._db.execute(sql, values).lastrowid or 0
        except sqlite3.Error as error:
            print(f"card simulator: cannot write: {error}", file=sys.stderr, flush=True)
            os._exit(CANNOT_WRITE)

    def _commit_soon(self) -> None:
        if self._open is not None:
            self._commit()

    def _commit(self) -> None:
        waiting, self._open = self._open, None
        self._run("COMMIT", ())
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def committed(self) -> None:
        """Return when all that was written so far is on record."""
        if self._open is not None:
            await asyncio.shield(self._open)

    def rows(self, sql: str, *values: SqlValue) -> Sequence[tuple[SqlValue, ...]]:
        return self._db.execute(sql, values).fetchall()

    def save(self, kept: Kept) -> bytes:
        """Write an object as it now is; return its bytes on the wire."""
        data = self._encode(kept)
        self.write(_SAVE, kept.id, kept.object, kept.created, *_columns(kept), data)
        return data

    def save_event(self, event: Event) -> bytes:
        data = self._encode(event)
        self.write(_SAVE, event.id, "event", event.created, None, None, event.type, None, data)
        return data

    def find(self, object_id: str) -> Found | None:
        row = self._db.execute("SELECT kind, data FROM object WHERE id = ?", (object_id,)).fetchone()
        return Found(*row) if row else None

    def load(self, kind: type[T], object_id: str) -> T | None:
        """Return an object of the kind asked for; one of another kind is not there."""
        found = self.find(object_id)
        if found is None or found.kind != _KIND_OF[kind]:
            return None
        return msgspec.json.decode(found.data, type=kind)


def _columns(kept: Kept) -> Columns:
    match kept:
        case Intent():
            return Columns(payment_id=kept.metadata.get("payment_id"))
        case Charge():
            return Columns(intent=kept.payment_intent, payment_id=kept.metadata.get("payment_id"))
        case Refund() | Dispute() | FraudWarning():
            return Columns(intent=kept.payment_intent, source=kept.charge)
        case BalanceTransaction():
            return Columns(source=kept.source, type=kept.type)
        case Payout():
            return Columns()
