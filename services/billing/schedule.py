"""Time as an input: once a second each duty looks at the stack clock and turns what is due into commands."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from services.billing.domain.commands import DueReports, NudgeAttempt, NudgeObject
from services.billing.domain.objects import DISPUTE
from services.billing.effects.days import day_of
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.runner import LogReader
from services.billing.effects.works import Origin
from services.billing.handlers import processor_stream
from services.billing.rails.port import Rail, Told
from shared.clock import Clock, parse_rfc3339
from shared.contracts.envelope import open_envelope
from shared.errors import WorldFault
from shared.eventlog.ports import EventRow
from shared.ids import root_of_key, shard_of
from shared.telemetry.logs import logger

log = logger(__name__)

TICK_S = 1.0
AFTER_DAYS_END = timedelta(minutes=10)
NET_EVERY = timedelta(minutes=5)
NET_OVERLAP = timedelta(minutes=1)
SWEEP_EVERY = timedelta(hours=1)
SWEEP_FROM, SWEEP_TO = timedelta(days=8), timedelta(days=1)


class Duty(Protocol):
    """Something that becomes due; doing it twice does it once."""

    async def tick(self, now: datetime) -> None:
        """Do what is due at `now`, if anything (WorldFault: again at the next tick)."""
        ...


class Schedule:
    """A part of a held shard: ticks its duties until stopped."""

    def __init__(self, clock: Clock, duties: Sequence[Duty]) -> None:
        self._clock = clock
        self._duties = duties
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin ticking, each duty for itself: a slow one delays no other."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(duty)) for duty in self._duties]

    def committed(self, rows: Sequence[EventRow]) -> None:
        """A schedule follows the clock, not the log."""

    async def stop(self) -> None:
        """Stop at once: what was not done is due again for whoever is next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, duty: Duty) -> None:
        while True:
            try:
                await duty.tick(self._clock.now())
            except WorldFault as error:
                log.warning("duty_waits", duty=type(duty).__name__, error=str(error))
            except Exception as error:
                log.critical("duty_failed", duty=type(duty).__name__, exc_info=error)
            await asyncio.sleep(TICK_S)


class ReportCalendar:
    """Calls a processor's days due, each ten minutes after its end in the tenant's zone, missed ones in order."""

    def __init__(
        self, outbox: Outbox, log_reader: LogReader, tenant: str, processor: str, shard: int, zone: ZoneInfo
    ) -> None:
        self._outbox = outbox
        self._log = log_reader
        self._tenant = tenant
        self._processor = processor
        self._shard = shard
        self._zone = zone
        self._first: date | None = None
        self._called: date | None = None

    async def tick(self, now: datetime) -> None:
        through = day_of(now - AFTER_DAYS_END, self._zone) - timedelta(days=1)
        first = await self._first_day(now)
        if through == self._called or through < first:
            return
        day = through.isoformat()
        command = DueReports(processor=self._processor, first_day=first.isoformat(), through_day=day)
        stream = processor_stream(self._processor)
        root = root_of_key(self._tenant, PRINCIPAL, "report", stream, day)
        origin = Origin(tenant=self._tenant, correlation=f"report:{stream}:{day}", causation=None, trace=None)
        await self._outbox.submit(origin, command, root)
        self._called = through

    async def _first_day(self, now: datetime) -> date:
        """Return the day of the log's first event; while there is none, the day on which this schedule began."""
        if self._first is None:
            rows = await self._log.read(self._shard, 0, 1)
            began = parse_rfc3339(open_envelope(rows[0].data).recorded_at) if rows else now
            self._first = day_of(began, self._zone)
        return self._first


class Net:
    """Reads the processor's event list every five minutes: what a lost webhook would have said."""

    def __init__(
        self, rail: Rail, outbox: Outbox, tenant: str, shard: int, shards: int, has_ended: Callable[[str, str], bool]
    ) -> None:
        self._rail = rail
        self._outbox = outbox
        self._tenant = tenant
        self._shard = shard
        self._shards = shards
        self._has_ended = has_ended
        self._read_to: datetime | None = None

    async def tick(self, now: datetime) -> None:
        if self._read_to is None:
            self._read_to = now - NET_EVERY
        if now - self._read_to < NET_EVERY:
            return
        for told in await self._rail.told_since(self._read_to - NET_OVERLAP):
            if told.account_id is None:
                await self._of_object(told)
            elif told.tenant == self._tenant:
                await self._of_household(told, told.account_id)
        self._read_to = now

    async def _of_object(self, told: Told) -> None:
        """Pass on what names no household: only disputes are followed."""
        if not told.kind.startswith(DISPUTE) or shard_of(self._tenant, told.object_id, self._shards) != self._shard:
            return
        command = NudgeObject(kind=told.kind, object_id=told.object_id)
        await self._submit(command, told.event_id, None)

    async def _of_household(self, told: Told, account_id: str) -> None:
        if shard_of(self._tenant, account_id, self._shards) != self._shard:
            return
        attempt_id = told.attempt_id or ""
        if self._has_ended(attempt_id, told.object_id):
            return
        command = NudgeAttempt(account_id=account_id, attempt_id=attempt_id, kind=told.kind, object_id=told.object_id)
        await self._submit(command, told.event_id, account_id)

    async def _submit(self, command: NudgeAttempt | NudgeObject, event_id: str, account_id: str | None) -> None:
        root = root_of_key(self._tenant, PRINCIPAL, "net", account_id, event_id)
        origin = Origin(tenant=self._tenant, correlation=f"net:{event_id}", causation=None, trace=None)
        await self._outbox.submit(origin, command, root)


class Sweep:
    """Cancels intents older than a day that never ended: nobody will confirm them, nobody may."""

    def __init__(self, rail: Rail, tenant: str) -> None:
        self._rail = rail
        self._tenant = tenant
        self._swept_at: datetime | None = None

    async def tick(self, now: datetime) -> None:
        if self._swept_at is not None and now - self._swept_at < SWEEP_EVERY:
            return
        begin = (self._swept_at or now) - SWEEP_FROM  # of the last sweep: the stack clock may have moved by weeks
        for ref in await self._rail.stale(self._tenant, begin, now - SWEEP_TO):
            answer = await self._rail.cancel(ref)
            log.info("stale_intent_swept", processor_ref=ref, answer=type(answer).__name__)
        self._swept_at = now
