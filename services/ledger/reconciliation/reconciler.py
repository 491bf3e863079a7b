"""Reports each day of a processor once its report is whole, and again when later facts change the day's figures.

Runs on every shard and acts on the one that took the report. It waits until the projections of all shards have
reached the ends of their logs as it read them, so the positions that the day's event names are those of the sums.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.processor import BALANCE, Figures, ReconcileDay
from services.ledger.reconciliation.reading import Day, Reading, read
from shared.contracts.event import Actor
from shared.contracts.ledger import ReportTaken
from shared.errors import WorldFault
from shared.eventlog.command import Submitted
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow
from shared.ids import canonical_json, event_id, root_of_key
from shared.postgres.settings import conninfo
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

LOOK_EVERY_S = 2.0
WAIT_FOR_PROJECTIONS_S = 0.1
RETRY_S = 1.0


class Reconciler:
    """A part of a held shard of the ledger."""

    def __init__(self, context: ShardContext) -> None:
        self._context = context
        self._seen: dict[int, int] = {}
        self._reported: dict[tuple[str, str, str], Figures] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._connection: psycopg.Connection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Look at once when a report was taken."""
        if any(row.type == ReportTaken.TYPE for row in rows):
            self._wake.set()

    async def stop(self) -> None:
        """End; a day that was not reported is reported by the next owner."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause_s = LOOK_EVERY_S
            try:
                await self._look()
            except (WorldFault, psycopg.Error) as error:
                log.warning("reconciliation_waits", shard=self._context.shard, error=repr(error))
                await self._disconnect()
                pause_s = RETRY_S
            except Exception as error:
                log.error("reconciliation_stands_still", shard=self._context.shard, exc_info=error)
                await self._disconnect()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _look(self) -> None:
        ends = await self._context.store.ends(range(self._context.shards))
        if ends == self._seen:
            return
        while (reading := await asyncio.to_thread(self._read, ends)) is None:
            await asyncio.sleep(WAIT_FOR_PROJECTIONS_S)
        for day in reading.days:
            await self._report(day)
        if reading.days:
            newest = max(reading.days, key=lambda one: one.command.day).command
            metrics.UNEXPLAINED_MINOR.labels(BALANCE).set(abs(newest.book_minor - newest.processor_minor))
        self._seen = ends

    async def _report(self, day: Day) -> None:
        command = day.command
        place = (command.processor, command.currency, command.day)
        figures = Figures(command.book_minor, command.processor_minor, command.open_exceptions)
        if self._reported.get(place) == figures:
            return
        root = root_of_day(day.tenant, command)
        await self._context.writer.submit(
            Submitted(
                command=command,
                tenant=day.tenant,
                root=root,
                actor=Actor("system", "ledger"),
                correlation=event_id(root, 0).hex(),
            )
        )
        self._reported[place] = figures
        difference_minor = command.book_minor - command.processor_minor
        if difference_minor:
            log.error("books_differ", account=BALANCE, processor=command.processor, day=command.day,
                      difference_minor=difference_minor)  # fmt: skip

    def _read(self, ends: Mapping[int, int]) -> Reading | None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                conninfo(self._context.dsn, "piperoll-ledger-reconciliation"), autocommit=True
            )
        return read(self._connection, self._context.shard, ends)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await asyncio.to_thread(connection.close)


def root_of_day(tenant: str, command: ReconcileDay) -> bytes:
    """Return the root of a day's reconciliation: the same figures at the same positions are the same command."""
    figures = canonical_json(msgspec.to_builtins(command))
    digest = hashlib.sha256(figures).hexdigest()[:16]
    key = f"{BALANCE}/{command.processor}/{command.day}/reconcile/{digest}"
    return root_of_key(tenant, "ledger", "reconcile", None, key)
