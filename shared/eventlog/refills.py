"""Refills: what a shard's relay publishes again from its log, because a topic was made anew or a reader lacks it.

The records are the same bytes as the first time. The relay does a step after each batch of its own and is the only
one that publishes for its shard, so a refill ends exactly where the relay goes on; readers skip what they have.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.contracts.chains import Refill
from shared.errors import WorldFault
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.outgoing import NO_NOTES, Annotate, Chains, Notes, no_notes, outgoing
from shared.eventlog.places import Part
from shared.eventlog.ports import EventRow, Outgoing, Publisher, Store
from shared.telemetry.metrics import REFILLED, REFILLS_SERVED

_log = logging.getLogger(__name__)

STEP_ROWS = 1_000
PACE_S = 0.04
LAST_PACE_S = 5.0
MOST_FAILURES = 10
SERVED_LATELY_S = 5.0


@dataclass
class _Run:
    """A refill under way: published up to `after`; `chain` is its last record's position and leaf hash."""

    part: Part
    start: int
    after: int
    chain: tuple[int, bytes] | None = None
    failures: int = 0
    sent: int = 0


class Refills:
    """What of one shard's log is to be published again. One part at a time; a part that was asked for twice, once."""

    def __init__(
        self,
        service: str,
        shard: int,
        shards: int,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        annotate: Annotate = no_notes,
    ) -> None:
        self.service = service
        self.shard = shard
        self._shards = shards
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._annotate = annotate
        self._waiting: dict[Part, int] = {}
        self._running: _Run | None = None
        self._due = 0.0
        self._served: dict[Part, tuple[int, float]] = {}

    def ask(self, asked: Refill) -> bool:
        """Take a request; False where it is being served, or was a moment ago."""
        part = (asked.topic, asked.partition)
        running = self._running
        if running is not None and running.part == part and asked.from_position >= running.start:
            return False
        start, ended_at = self._served.get(part, (0, float("-inf")))
        if start and asked.from_position >= start and self._clock.monotonic() - ended_at < SERVED_LATELY_S:
            return False
        self._waiting[part] = min(asked.from_position, self._waiting.get(part, asked.from_position))
        return True

    def wants(self, part: Part) -> bool:
        """Tell whether this part waits or is being served."""
        return part in self._waiting or (self._running is not None and self._running.part == part)

    def served_since(self, part: Part, moment: float) -> bool:
        """Tell whether a refill of this part has ended well since a moment (monotonic seconds)."""
        return self._served.get(part, (0, float("-inf")))[1] >= moment

    def due_in_s(self) -> float | None:
        """Return in how many seconds there is a step to do; None where there is none."""
        if not self._waiting and self._running is None:
            return None
        return max(0.0, self._due - self._clock.monotonic())

    async def step(self, end: int) -> None:
        """Publish the next records of a part, at most up to `end`, which is as far as the relay has published.

        A part that cannot be published is tried again with a back-off, and given up after ten tries: who lacks it asks
        again.
        """
        if self.due_in_s() != 0.0:
            return
        run = self._running or self._begin()
        try:
            ended = await self._publish(run, end)
        except WorldFault as fault:
            run.failures += 1
            self._due = self._clock.monotonic() + min(PACE_S * 2**run.failures, LAST_PACE_S)
            if run.failures >= MOST_FAILURES:
                _log.error("refill given up: %s", fault, extra=self._extra(run))
                self._running = None
            return
        run.failures = 0
        now = self._clock.monotonic()
        self._due = now + PACE_S
        if ended:
            self._running = None
            self._served[run.part] = (run.start, now)
            REFILLS_SERVED.labels(self.service, str(self.shard), run.part[0]).inc()
            _log.info("refill done", extra={**self._extra(run), "records": run.sent})

    def _begin(self) -> _Run:
        part = next(iter(self._waiting))
        start = self._waiting.pop(part)
        self._running = _Run(part, start, start - 1)
        _log.info("refill begins", extra=self._extra(self._running))
        return self._running

    async def _publish(self, run: _Run, end: int) -> bool:
        """Publish one step's records; True when all up to `end` are there."""
        if run.chain is None:
            run.chain = await self._end_before(run.part, run.start)
        read = await self._store.read(self.shard, run.after, STEP_ROWS)
        rows = [row for row in read if row.position <= end]
        messages, chains = self._of_part(run.part, rows, run.chain, await self._annotate(rows))
        await self._publisher.publish(messages)
        run.sent += len(messages)
        REFILLED.labels(self.service, run.part[0]).inc(len(messages))
        if rows:
            run.after, run.chain = rows[-1].position, chains[run.part]
        return run.after >= end or not rows

    async def _end_before(self, part: Part, start: int) -> tuple[int, bytes]:
        """Return position and hash of the part's last record below `start`, read back from the log."""
        before = start - 1
        while before > 0:
            after = max(0, before - STEP_ROWS)
            read = await self._store.read(self.shard, after, before - after)
            for row in reversed(read):
                if self._of_part(part, [row], (0, b""))[0]:
                    return row.position, leaf_hash(row.data)
            before = after
        return 0, b""

    def _of_part(
        self, part: Part, rows: Sequence[EventRow], chain: tuple[int, bytes], notes: Notes = NO_NOTES
    ) -> tuple[list[Outgoing], Chains]:
        messages, chains = outgoing(self.service, self.shard, self._shards, rows, {part: chain}, notes)
        return [one for one in messages if (one.topic, one.partition) == part], chains

    def _extra(self, run: _Run) -> dict[str, object]:
        topic, partition = run.part
        return {
            "service": self.service,
            "shard": self.shard,
            "topic": topic,
            "partition": partition,
            "from_position": run.start,
        }
