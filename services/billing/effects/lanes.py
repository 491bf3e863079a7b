"""Which work runs next: due times on the stack clock, one call at a time in a lane, a bound on all."""

import heapq
from collections import deque
from datetime import datetime


class Lanes:
    """Work ids by due time and lane; no I/O. An id is due at one moment at most, and runs in its lane alone."""

    def __init__(self, most_at_once: int) -> None:
        self._most = most_at_once
        self._heap: list[tuple[datetime, int, str]] = []
        self._due: dict[str, datetime] = {}
        self._ready: deque[str] = deque()
        self._queued: set[str] = set()
        self._blocked: dict[str, list[str]] = {}
        self._running: dict[str, str] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._counter = 0

    @property
    def running(self) -> int:
        """How many calls are open."""
        return len(self._running)

    def is_idle(self) -> bool:
        """Tell whether nothing runs, waits for a lane or is due."""
        return not (self._running or self._queued or self._due)

    def at(self, work_id: str, moment: datetime) -> None:
        """Have an id run at a moment; replaces an earlier one."""
        self._due[work_id] = moment
        self._counter += 1
        heapq.heappush(self._heap, (moment, self._counter, work_id))

    def now(self, work_id: str) -> None:
        """Have an id run as soon as its lane is free; while it runs: once more after that."""
        self._due.pop(work_id, None)
        if work_id in self._running:
            self._again.add(work_id)
        elif work_id not in self._queued:
            self._queued.add(work_id)
            self._ready.append(work_id)

    def forget(self, work_id: str) -> None:
        """Take an id out; a run under way goes on."""
        self._due.pop(work_id, None)
        self._again.discard(work_id)

    def next_due(self) -> datetime | None:
        """Return the earliest due moment."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def wake(self, now: datetime) -> None:
        """Move what is due to the ready ones."""
        while (due := self.next_due()) is not None and due <= now:
            self.now(self._heap[0][2])

    def take(self) -> str | None:
        """Return the next ready id while there is room, None otherwise; the caller says `start` or takes the next."""
        if len(self._running) >= self._most or not self._ready:
            return None
        work_id = self._ready.popleft()
        self._queued.discard(work_id)
        return work_id

    def start(self, work_id: str, lane: str) -> bool:
        """Mark an id as running; False where its lane is busy: it then waits for that."""
        if lane in self._busy:
            self._queued.add(work_id)
            self._blocked.setdefault(lane, []).append(work_id)
            return False
        self._busy.add(lane)
        self._running[work_id] = lane
        return True

    def end(self, work_id: str) -> bool:
        """Mark an id as ended, free its lane; True where it was asked for again meanwhile."""
        lane = self._running.pop(work_id)
        self._busy.discard(lane)
        self._ready.extendleft(reversed(self._blocked.pop(lane, [])))
        again = work_id in self._again
        self._again.discard(work_id)
        return again
