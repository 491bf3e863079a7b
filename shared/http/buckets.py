"""How often a principal may call: a token bucket each, in this process."""

from collections.abc import Callable
from math import ceil

MOST_PRINCIPALS = 50_000


class Buckets:
    """`per_min` requests a minute, all of them at once if nobody called before. Takes about a microsecond."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left: dict[str, list[float]] = {}

    def take(self, principal: str, per_min: int) -> int:
        """Count one request; return 0, or in how many whole seconds the next one is due."""
        now = self._now()
        rate = per_min / 60.0
        bucket = self._left.get(principal)
        if bucket is None:
            if len(self._left) >= MOST_PRINCIPALS:
                self._forget_full(now)
            self._left[principal] = [per_min - 1.0, now]
            return 0
        left = min(float(per_min), bucket[0] + (now - bucket[1]) * rate)
        bucket[1] = now
        if left < 1.0:
            bucket[0] = left
            return max(1, ceil((1.0 - left) / rate))
        bucket[0] = left - 1.0
        return 0

    def _forget_full(self, now: float) -> None:
        """Drop who has not called for a minute: by then every bucket is full again."""
        self._left = {key: bucket for key, bucket in self._left.items() if now - bucket[1] < 60.0}
        while len(self._left) >= MOST_PRINCIPALS:
            del self._left[next(iter(self._left))]
