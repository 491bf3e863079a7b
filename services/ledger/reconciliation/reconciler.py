"""Reports each day of a processor or bank account once its report is whole, and again when later facts change it.

Runs on every shard and acts on the one that took the report. It waits until the projections of all shards have
reached the ends of their logs as it read them, so the positions that the day's event names are those of the sums.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.reconciled import ReconcileDay, ReviewExceptions
from services.ledger.reconciliation.reading import Account, read
from shared.contracts.event import Actor
from shared.contracts.ledger import ExceptionChanged, ReportTaken, StatementTaken
from shared.eventlog.command import Submitted
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow
from shared.eventlog.task_part import TaskPart
from shared.ids import event_id, root_of_key
from shared.postgres.settings import conninfo
from shared.telemetry.logs import logger

log = logger(__name__)

APPLICATION = "piperoll-ledger-reconciliation"
LOOK_EVERY_S = 2.0
WAIT_FOR_PROJECTIONS_S = 0.1
RETRY_S = 1.0
SETTLE_S = 2.0
QUARTER_S = 900
WAKES = (ReportTaken.TYPE, StatementTaken.TYPE, ExceptionChanged.TYPE)


class Reconciler(TaskPart):
    """A part of a held shard of the ledger.

    Days are reported at once. Exceptions are reviewed `settle_s` after the newest report was taken, so that what
    households post because of the same statement is there; and again every quarter of an hour of the stack's clock,
    because a payout becomes late without any news. One review changes a bounded number of exceptions; its commit calls
    for the next. A day that was not reported when it ends is reported by the next owner.
    """

    def __init__(self, context: ShardContext, settle_s: float = SETTLE_S) -> None:
        super().__init__(context)
        self._settle = timedelta(seconds=settle_s)
        self._seen: tuple[dict[int, int], int] | None = None
        self._reported: dict[tuple[str, str, str, str], bytes] = {}
        self._wake = asyncio.Event()
        self._connections: list[psycopg.Connection[Any]] = []

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Look at once when a report was taken or an exception changed; what is explained changes what a day says."""
        if any(row.type == ExceptionChanged.TYPE for row in rows):
            self._reported.clear()
        if any(row.type in WAKES for row in rows):
            self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause_s = LOOK_EVERY_S if await self._patiently(self._look) else RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _look(self) -> None:
        ends = await self._context.store.ends(range(self._context.shards))
        now = self._context.clock.now()
        seen = (ends, int(now.timestamp()) // QUARTER_S)
        if seen == self._seen:
            return
        while (accounts := await asyncio.to_thread(self._read, ends)) is None:
            await asyncio.sleep(WAIT_FOR_PROJECTIONS_S)
        for account in accounts:
            for day in account.days:
                await self._report(account.tenant, day)
        settled = [account for account in accounts if self._has_settled(account, now)]
        for account in settled:
            await self._submit(account.tenant, account.review)
        if len(settled) == len(accounts):
            self._seen = seen

    def _has_settled(self, account: Account, now: datetime) -> bool:
        return now - account.taken_at >= self._settle

    async def _report(self, tenant: str, command: ReconcileDay) -> None:
        place = (command.account, command.sub_key, command.currency, command.day)
        figures = digest_of(msgspec.structs.replace(command, positions={}))
        if self._reported.get(place) == figures:
            return
        await self._submit(tenant, command)
        self._reported[place] = figures
        if command.exceptions:
            minor = sum(one.minor for one in command.exceptions)
            log.error("books_differ", account=command.account, sub_key=command.sub_key, day=command.day, minor=minor)

    async def _submit(self, tenant: str, command: ReconcileDay | ReviewExceptions) -> None:
        root = root_of(tenant, command)
        await self._context.writer.submit(
            Submitted(
                command=command,
                tenant=tenant,
                root=root,
                actor=Actor("system", "ledger"),
                correlation=event_id(root, 0).hex(),
            )
        )

    def _read(self, ends: Mapping[int, int]) -> tuple[Account, ...] | None:
        for dsn in self._context.dsns[len(self._connections) :]:
            self._connections.append(psycopg.connect(conninfo(dsn, APPLICATION), autocommit=True))
        return read(self._connections, self._context.shard, ends)

    async def _let_go(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            with suppress(psycopg.Error):
                await asyncio.to_thread(connection.close)


def digest_of(command: ReconcileDay | ReviewExceptions) -> bytes:
    """Return the SHA-256 of all that a command says."""
    return hashlib.sha256(msgspec.json.encode(command)).digest()


def root_of(tenant: str, command: ReconcileDay | ReviewExceptions) -> bytes:
    """Return the root of a command: the same figures at the same positions are the same command."""
    key = f"{command.account}/{command.sub_key}/{digest_of(command).hex()}"
    return root_of_key(tenant, "ledger", command.TYPE, None, key)
