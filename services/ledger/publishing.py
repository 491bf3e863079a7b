"""Publishes on `ledger.balances.v1` what balances have become: the newest of each key, at least once.

The log says which keys moved, the projection what they are now, one row of the database how far that is told. What was
published and not noted is published again by the next owner; a key that moves often is told once per batch. Sending
takes at most a quarter of the time, so that it never stands in the way of the writer. The record of an owner that was
stopped may come late: of a key's records the one with the highest position counts.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.ledger.projections.balances import EntryPart
from shared.contracts.ledger import BalanceStated, EntryPosted
from shared.contracts.topics import LEDGER_BALANCES
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow, Outgoing
from shared.eventlog.task_part import TaskPart
from shared.faults import Point, reach
from shared.postgres.queries import queries
from shared.postgres.settings import conninfo
from shared.telemetry import metrics

_SQL = queries(Path(__file__).with_suffix(".sql"))
BATCH = 1_000
GATHER_S = 1.0
LOOK_EVERY_S = 2.0
WAIT_FOR_PROJECTION_S = 0.1
RETRY_S = 1.0
IDLE_SHARE = 3.0
_HEADERS = (("content-type", b"application/json"), ("type", BalanceStated.TYPE.encode()))

Key = tuple[str, str, str, str]


class _Sealed(msgspec.Struct, gc=False):
    """What is taken of an entry's envelope."""

    tenant: str
    payload: EntryPart


_open = msgspec.json.Decoder(_Sealed).decode
_encode = msgspec.json.Encoder().encode


class BalancePublisher(TaskPart):
    """A part of a held shard of the ledger."""

    def __init__(self, context: ShardContext, gather_s: float = GATHER_S) -> None:
        super().__init__(context)
        self._gather_s = gather_s
        self._position: int | None = None
        self._end = 0
        self._wake = asyncio.Event()
        self._connection: psycopg.Connection[Any] | None = None

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Take note that there is more to publish."""
        self._end = rows[-1].position
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            if not await self._patiently(self._publish_all):
                await asyncio.sleep(RETRY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            await asyncio.sleep(self._gather_s)

    async def _publish_all(self) -> None:
        while await self._publish_some():
            pass

    async def _publish_some(self) -> bool:
        """Publish what a batch of the log moved; tell whether there may be more."""
        context = self._context
        if self._position is None:
            self._position = await asyncio.to_thread(self._published)
        began = context.clock.monotonic()
        rows = await context.store.read(context.shard, self._position, BATCH)
        if not rows:
            return False
        end = rows[-1].position
        moved = _moved(rows)
        if moved:
            while (stated := await asyncio.to_thread(self._read, moved, end)) is None:
                await asyncio.sleep(WAIT_FOR_PROJECTION_S)
            await context.publisher.publish([self._record(one) for one in stated])
            metrics.BALANCES_PUBLISHED.inc(len(stated))
        reach(Point.BALANCES_AFTER_SEND)
        await asyncio.to_thread(self._note, end)
        self._position = end
        label = str(context.shard)
        metrics.BALANCES_LAG.labels(label).set(max(0, self._end - end))
        await asyncio.sleep(IDLE_SHARE * (context.clock.monotonic() - began))
        return len(rows) == BATCH

    def _record(self, stated: BalanceStated) -> Outgoing:
        return Outgoing(
            topic=LEDGER_BALANCES,
            partition=self._context.shard,
            key=stated.key.encode(),
            value=_encode(stated),
            headers=_HEADERS,
        )

    def _published(self) -> int:
        row = self._connected().execute(_SQL["published"], (self._context.shard,)).fetchone()
        return int(row[0]) if row else 0

    def _read(self, moved: dict[Key, str], end: int) -> list[BalanceStated] | None:
        """Return the keys as they are now, None where the projection has not reached `end`."""
        connection, shard = self._connected(), self._context.shard
        row = connection.execute(_SQL["folded"], (shard,)).fetchone()
        if row is None or row[0] < end:
            return None
        columns = [list(column) for column in zip(*sorted(moved), strict=True)]
        return [
            BalanceStated(
                tenant=moved[account_id, code, sub_key, currency],
                account_id=account_id,
                code=code,
                sub_key=sub_key,
                currency=currency,
                debit_minor=int(debit_minor),
                credit_minor=int(credit_minor),
                shard=shard,
                position=position,
            )
            for account_id, code, sub_key, currency, debit_minor, credit_minor, position in connection.execute(
                _SQL["balances"], columns
            ).fetchall()
        ]

    def _note(self, position: int) -> None:
        self._connected().execute(_SQL["publish"], (self._context.shard, position))

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            settings = conninfo(self._context.dsn, "piperoll-ledger-publishing", {"synchronous_commit": "off"})
            self._connection = psycopg.connect(settings, autocommit=True)
        return self._connection

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await asyncio.to_thread(connection.close)


def _moved(rows: Sequence[EventRow]) -> dict[Key, str]:
    """Return the keys of the balances that events moved, and their tenant."""
    moved: dict[Key, str] = {}
    for row in rows:
        if row.type == EntryPosted.TYPE:
            sealed = _open(row.data)
            entry = sealed.payload
            for posting in entry.postings:
                moved[entry.account_id, posting.code, posting.sub_key, entry.currency] = sealed.tenant
    return moved
