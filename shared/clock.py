"""Clocks: the system's, the local stack's (an offset that only grows), and one that tests move by hand."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What the shell reads; domains never do."""

    def now(self) -> datetime:
        """Return the present in UTC; due dates, limits, `received_at` and `recorded_at` follow it."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never fall; call time-outs and leases follow it."""
        ...

    def offset(self) -> timedelta:
        """Return how far the stack's time is ahead of the machine's; always zero outside the local stack."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def offset(self) -> timedelta:
        return timedelta()


class StackClock(SystemClock):
    """The machine's clock plus the local stack's offset, whole seconds in a file; refused in the production profile.

    The file is looked at again at most every 50 ms; a missing file is 0; a smaller offset than one seen is ignored.
    """

    def __init__(self, offset_file: Path) -> None:
        self._file = offset_file
        self._offset = timedelta()
        self._looked_at = float("-inf")
        self._stamp: tuple[int, int] | None = None

    def now(self) -> datetime:
        return super().now() + self.offset()

    def offset(self) -> timedelta:
        now = time.monotonic()
        if now - self._looked_at >= 0.05:
            self._looked_at = now
            self._look()
        return self._offset

    def _look(self) -> None:
        try:
            found = os.stat(self._file)
        except FileNotFoundError:
            return
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            text = self._file.read_text().strip()
            self._offset = max(self._offset, timedelta(seconds=int(text or "0")))
            self._stamp = stamp


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._monotonic

    def offset(self) -> timedelta:
        return timedelta()

    def advance(self, by: timedelta) -> None:
        """Move both readings on by a span that is not negative."""
        if by < timedelta():
            raise ValueError("time does not run backwards")
        self._at += by
        self._monotonic += by.total_seconds()


def clock_from(environment: Mapping[str, str]) -> Clock:
    """Return the stack's clock where `PIPEROLL_CLOCK_FILE` names one, else the system's.

    In the production profile a clock file is refused with ValueError.
    """
    path = environment.get("PIPEROLL_CLOCK_FILE")
    if path and environment.get("PIPEROLL_PROFILE") == "production":
        raise ValueError("PIPEROLL_CLOCK_FILE moves time and is refused in the production profile")
    return StackClock(Path(path)) if path else SystemClock()


def rfc3339(moment: datetime) -> str:
    """Return a moment as every event writes it: UTC, six decimals, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Return the moment that `rfc3339` wrote; other offsets are read too, a naive time raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no offset")
    return moment


class AnchoredClock:
    """The database's clock as last read, carried on by monotonic time, plus the stack's offset.

    One clock for all workers of a shard: a machine whose own clock is wrong records right times all the same.
    """

    def __init__(self, clock: Clock, database_now: datetime) -> None:
        self._clock = clock
        self._anchor = database_now
        self._read_at = clock.monotonic()

    def now(self) -> datetime:
        """Return the estimate of the database's present, moved by the stack's offset."""
        return self._estimate(self._clock.monotonic()) + self._clock.offset()

    def anchor(self, database_now: datetime, asked_at: float) -> float:
        """Take a new reading and return by how many seconds the estimate was ahead of it when it was asked for.

        `asked_at` is monotonic: an answer that took long is no clock that runs ahead.
        """
        ahead = (self._estimate(asked_at) - database_now).total_seconds()
        self._anchor = database_now
        self._read_at = self._clock.monotonic()
        return ahead

    def _estimate(self, at: float) -> datetime:
        return self._anchor + timedelta(seconds=at - self._read_at)
