"""The relay: reads a shard's log in order and puts every event on its topics. A crash repeats, never skips.

Everything a message says is computed from the log, so that a resend is the same bytes. The place is saved lazily: a
relay that starts again sends at most the last 5,000 records or 1 s once more. What its own process has just
committed is handed over and not read back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from shared.clock import Clock
from shared.errors import WorldFault
from shared.eventlog.outgoing import Annotate, Chains, known, no_notes, outgoing
from shared.eventlog.ports import EventRow, Publisher, RelayStore, Store
from shared.eventlog.refills import Refills
from shared.faults import Point, reach
from shared.telemetry.metrics import RELAY_FAILURES, RELAY_LAG, RELAY_POSITION

_log = logging.getLogger(__name__)

BATCH = 2_000
FRESH_ROWS = 20_000
SAVE_EVERY_RECORDS = 5_000
SAVE_EVERY_S = 1.0
LOOK_AGAIN_S = 1.0
FIRST_BACK_OFF_S = 0.05
LAST_BACK_OFF_S = 2.0
POLL_S = 0.01


class Relay:
    """One shard's relay. `run` goes on until `stop`; faults of the world are retried with a bounded back-off."""

    def __init__(
        self,
        service: str,
        shard: int,
        store: Store,
        places: RelayStore,
        publisher: Publisher,
        clock: Clock,
        *,
        shards: int,
        batch: int = BATCH,
        annotate: Annotate = no_notes,
    ) -> None:
        self.service = service
        self.shard = shard
        self._shards = shards
        self.position = 0
        self._store = store
        self._places = places
        self._publisher = publisher
        self._clock = clock
        self._batch = batch
        self._annotate = annotate
        self.chains: Chains = {}
        self.refills = Refills(service, shard, shards, store, publisher, clock, annotate)
        self._saved = 0
        self._saved_at = 0.0
        self._known_end = 0
        self._fresh: deque[EventRow] = deque()
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._show_lag = RELAY_LAG.labels(service, shard).set
        self._show_position = RELAY_POSITION.labels(service, shard).set

    def wake(self, end: int | None = None) -> None:
        """Tell of a commit; `end` is the log's last position where the caller knows it."""
        if end is not None and end > self._known_end:
            self._known_end = end
            self._show_lag(self.lag)
        self._woken.set()

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Tell of a commit of this process, with its rows; too many to keep are read from the log after all."""
        if len(self._fresh) + len(rows) > FRESH_ROWS:
            self._fresh.clear()
        self._fresh.extend(rows)
        self.wake(rows[-1].position)

    @property
    def lag(self) -> int:
        """How many events are known to be committed and not yet published."""
        return max(0, self._known_end - self.position)

    async def run(self) -> None:
        """Publish until stopped. An error that is no fault of the world ends it and is the caller's alarm."""
        back_off = FIRST_BACK_OFF_S
        while not self._stopped.is_set():
            try:
                await self._read_place()
                while not self._stopped.is_set():
                    await self._pass()
                    back_off = FIRST_BACK_OFF_S
                await self._save()
            except WorldFault as fault:
                RELAY_FAILURES.labels(self.service, self.shard).inc()
                if back_off == FIRST_BACK_OFF_S:
                    place = {"service": self.service, "shard": self.shard, "position": self.position}
                    _log.warning("the relay waits and tries again: %s", fault, extra=place)
                await self._sleep(back_off)
                back_off = min(back_off * 2, LAST_BACK_OFF_S)

    async def stop(self) -> None:
        """Ask `run` to end after the batch in hand; its caller awaits the task."""
        self._stopped.set()
        self._woken.set()

    async def _read_place(self) -> None:
        self.position, self.chains = await self._places.relay_place(self.shard)
        self._saved = self.position
        self._saved_at = self._clock.monotonic()
        self._show_position(self.position)

    async def _pass(self) -> None:
        """Publish what there is, batch by batch, then wait until there may be more."""
        self._woken.clear()
        await self.refills.step(self.position)
        rows = await self._after(self.position)
        while len(rows) == self._batch and not self._stopped.is_set():
            rows = await self._publish_and_read_on(rows)
            await self._save_when_due()
            await self.refills.step(self.position)
        if rows:
            await self._publish(rows)
        await self._save_when_due()
        await self._wait()

    async def _after(self, position: int) -> Sequence[EventRow]:
        """Return what comes next: as a commit handed it over, else from the log."""
        fresh = self._fresh
        while fresh and fresh[0].position <= position:
            fresh.popleft()
        if fresh and fresh[0].position == position + 1:
            return [fresh.popleft() for _ in range(min(len(fresh), self._batch))]
        return await self._store.read(self.shard, position, self._batch)

    async def _publish_and_read_on(self, rows: Sequence[EventRow]) -> Sequence[EventRow]:
        """Publish a full batch and return the next one, read while the broker works."""
        reading = asyncio.get_running_loop().create_task(self._after(rows[-1].position))
        try:
            await self._publish(rows)
        finally:
            await asyncio.wait([reading])
            failed = reading.cancelled() or reading.exception()
        return () if failed else reading.result()  # a log that cannot be read is asked again in the next pass

    async def _publish(self, rows: Sequence[EventRow]) -> None:
        """Publish rows up to the first of a type that only a newer version knows: there the relay stands still."""
        ours = known(rows)
        if ours:
            await self._send(ours)
        if len(ours) < len(rows):
            await self._save()
            unknown = rows[len(ours)]
            raise WorldFault(f"position {unknown.position} is {unknown.type}, which waits for a newer version")

    async def _send(self, rows: Sequence[EventRow]) -> None:
        messages, chains = outgoing(
            self.service, self.shard, self._shards, rows, self.chains, await self._annotate(rows)
        )
        reach(Point.RELAY_BEFORE_SEND)
        await self._publisher.publish(messages)
        reach(Point.RELAY_AFTER_SEND)
        self.position, self.chains = rows[-1].position, chains
        self._known_end = max(self._known_end, self.position)
        self._show_position(self.position)
        self._show_lag(self.lag)

    async def _save_when_due(self) -> None:
        ahead = self.position - self._saved
        if ahead >= SAVE_EVERY_RECORDS or (ahead and self._clock.monotonic() - self._saved_at >= SAVE_EVERY_S):
            await self._save()

    async def _save(self) -> None:
        if self.position > self._saved:
            await self._places.save_relay_place(self.shard, self.position, self.chains)
            self._saved = self.position
        self._saved_at = self._clock.monotonic()

    async def _wait(self) -> None:
        """Sleep until woken; at most until the place is to be saved, the log looked at again, or a refill goes on."""
        longest = SAVE_EVERY_S if self.position > self._saved else LOOK_AGAIN_S
        refill = self.refills.due_in_s()
        due_in_s = longest if refill is None else min(longest, refill)
        timer = asyncio.get_running_loop().call_later(due_in_s, self._woken.set)  # cheaper than a time-out
        try:
            await self._woken.wait()
        finally:
            timer.cancel()

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but end early when stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            pass


class PollingRelay:
    """The relays of several shards whose writers are other processes: one query for all of them every 10 ms."""

    def __init__(
        self,
        service: str,
        shards: Sequence[int],
        store: Store,
        places: RelayStore,
        publisher: Publisher,
        clock: Clock,
        *,
        all_shards: int,
        poll_s: float = POLL_S,
        annotate: Annotate = no_notes,
    ) -> None:
        self.relays = {
            shard: Relay(service, shard, store, places, publisher, clock, shards=all_shards, annotate=annotate)
            for shard in shards
        }
        self._store = store
        self._poll_s = poll_s
        self._stopping = False

    async def run(self) -> None:
        """Poll and publish until stopped; the first relay that ends by an error ends all."""
        async with asyncio.TaskGroup() as group:
            for relay in self.relays.values():
                group.create_task(relay.run())
            group.create_task(self._poll())

    async def stop(self) -> None:
        """Ask `run` to end after the batches in hand."""
        self._stopping = True
        for relay in self.relays.values():
            await relay.stop()

    async def _poll(self) -> None:
        back_off = FIRST_BACK_OFF_S
        shards = tuple(self.relays)
        while not self._stopping:
            try:
                ends = await self._store.ends(shards)
            except WorldFault as fault:
                _log.warning("relay cannot look at the log: %s", fault)
                await asyncio.sleep(back_off)
                back_off = min(back_off * 2, LAST_BACK_OFF_S)
                continue
            back_off = FIRST_BACK_OFF_S
            for shard, end in ends.items():
                relay = self.relays[shard]
                if end > relay.position:
                    relay.wake(end)
            await asyncio.sleep(self._poll_s)
