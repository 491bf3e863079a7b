"""Delivers the open notices of a held shard and reports each outcome to the shard's writer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from services.notifier.domain.commands import EndNotice, MarkSent
from services.notifier.effects.agenda import Agenda
from services.notifier.effects.delivery import Delivery
from services.notifier.effects.open_notices import OpenNotice, OpenNotices
from shared.contracts.event import Actor
from shared.errors import StoreDown, WorldFault
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.ports import EventRow
from shared.eventlog.readable import Readable
from shared.ids import root_of_key
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

AT_ONCE = 8
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 60.0
OUR_FAULT_WAIT_S = 60.0
DRAIN_S = 3.0
ACTOR = Actor("system", "notifier")


class Submitter(Protocol):
    """The part of a writer that the runner uses."""

    async def submit(self, submitted: Submitted) -> Answer: ...


class NoticeRunner:
    """A part of a held shard. It stores nothing: what is open after a crash is delivered by the next owner.

    Each notice waits for itself: first 0.25 s, doubled after each try up to a minute, until the delivery says that it
    is exhausted. A fault of ours leaves the notice open, tried again each minute, and is logged as an error.
    """

    def __init__(
        self,
        shard: int,
        writer: Submitter,
        load: Callable[[], Awaitable[OpenNotices]],
        open_delivery: Callable[[], Awaitable[Delivery]],
        close_delivery: Callable[[], Awaitable[None]],
        readable: Readable,
    ) -> None:
        self.notices: OpenNotices | None = None
        self._shard = shard
        self._writer = writer
        self._load = load
        self._open_delivery = open_delivery
        self._close_delivery = close_delivery
        self._readable = readable
        self._early: list[EventRow] = []
        self._agenda: Agenda[tuple[OpenNotice, int]] = Agenda()
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = 0
        self._stopping = False
        self._has_delivery = False

    async def start(self) -> None:
        """Begin: find what is open, then deliver it and whatever is planned from now on."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._begin()))

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Take note of notices planned and closed."""
        if self.notices is None:
            self._early.extend(rows)
        else:
            self._fold(self.notices, rows)

    async def stop(self) -> None:
        """Give tries under way three seconds to end; a mail without its mark is sent again under its Message-ID."""
        self._stopping = True
        self._agenda.stop()
        waited_s = 0.0
        while self._busy and waited_s < DRAIN_S:
            await asyncio.sleep(0.02)
            waited_s += 0.02
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        metrics.EFFECTS_OPEN.labels("mail").dec(len(self.notices.by_id) if self.notices is not None else 0)
        if self._has_delivery:
            await self._close_delivery()

    async def _begin(self) -> None:
        notices = await self._loaded()
        delivery = await self._open_delivery()
        self._has_delivery = True
        metrics.EFFECTS_OPEN.labels("mail").inc(len(notices.by_id))
        for notice in notices.by_id.values():
            self._agenda.put((notice, 0))
        early, self._early, self.notices = self._early, [], notices
        self._fold(notices, early)
        loop = asyncio.get_running_loop()
        self._tasks += [loop.create_task(self._work(delivery, notices)) for _ in range(AT_ONCE)]

    async def _loaded(self) -> OpenNotices:
        wait_s = FIRST_WAIT_S
        while True:
            self._early.clear()  # what was committed until now is in the log that is read
            try:
                notices = await self._load()
            except StoreDown as error:
                log.warning("open_notices_wait", shard=self._shard, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            except Exception as error:
                log.error("open_notices_unreadable", shard=self._shard, error=repr(error), exc_info=error)
                await asyncio.sleep(OUR_FAULT_WAIT_S)
            else:
                return notices

    def _fold(self, notices: OpenNotices, rows: Sequence[EventRow]) -> None:
        before = len(notices.by_id)
        for row in rows:
            notice = notices.take(row)
            if notice is not None:
                self._agenda.put((notice, 0))
        metrics.EFFECTS_OPEN.labels("mail").inc(len(notices.by_id) - before)

    async def _work(self, delivery: Delivery, notices: OpenNotices) -> None:
        while True:
            notice, tries = await self._agenda.take()
            if self._stopping or notice.notice_id not in notices.by_id:
                continue
            self._busy += 1
            try:
                await self._deliver(delivery, notice)
            except WorldFault as error:
                wait_s = min(FIRST_WAIT_S * 2 ** min(tries, 16), LONGEST_WAIT_S)
                log.warning("notice_waits", notice_id=notice.notice_id, tries=tries + 1, wait_s=wait_s,
                            correlation=notice.correlation, error=str(error))  # fmt: skip
                self._agenda.put((notice, tries + 1), wait_s)
            except Exception as error:
                log.error("notice_stands_still", notice_id=notice.notice_id, correlation=notice.correlation,
                          error=type(error).__name__, exc_info=error)  # fmt: skip
                self._agenda.put((notice, tries + 1), OUR_FAULT_WAIT_S)
            finally:
                self._busy -= 1

    async def _deliver(self, delivery: Delivery, notice: OpenNotice) -> None:
        await self._readable.check(notice.planned.account_id)
        metrics.EFFECTS_IN_FLIGHT.labels("mail").inc()
        try:
            outcome = await delivery.attempt(notice)
        finally:
            metrics.EFFECTS_IN_FLIGHT.labels("mail").dec()
        name = "sent" if isinstance(outcome, MarkSent) else outcome.reason
        answer = await self._report(notice, outcome, name)
        if answer.rows and not answer.replayed:
            metrics.MAILS.labels(name).inc()
            metrics.OUTCOMES.labels("mail", name).inc()

    async def _report(self, notice: OpenNotice, outcome: MarkSent | EndNotice, name: str) -> Answer:
        """Hand the outcome to the writer until it is answered; the mail is not sent again meanwhile."""
        key = f"{notice.notice_id}:{name}"
        submitted = Submitted(
            command=outcome,
            tenant=notice.tenant,
            root=root_of_key(notice.tenant, "notifier", "notice-outcome", outcome.account_id, key),
            actor=ACTOR,
            correlation=notice.correlation,
            causation=notice.causation,
            trace=notice.trace,
        )
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return await self._writer.submit(submitted)
            except WorldFault as error:
                log.warning("outcome_waits", notice_id=notice.notice_id, error=str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
