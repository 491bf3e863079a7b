"""How many streams may be open: slots."""

from collections.abc import Callable

from shared.http.problems import Problem
from shared.telemetry import metrics


class Slots:
    """Open streams of this process, counted by principal."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken: dict[str, int] = {}

    def take(self, principal: str) -> Callable[[], None]:
        """Take a slot and return what gives it back; the Problem where none is left."""
        own = self._taken.get(principal, 0)
        if own >= self._most_each:
            raise Problem("streams_too_many", headers=((b"retry-after", b"5"),))
        if sum(self._taken.values()) >= self._most:
            raise Problem("streams_full", headers=((b"retry-after", b"5"),))
        self._taken[principal] = own + 1
        metrics.HTTP_STREAMS.inc()
        return lambda: self._give_back(principal)

    def _give_back(self, principal: str) -> None:
        metrics.HTTP_STREAMS.dec()
        left = self._taken[principal] - 1
        if left:
            self._taken[principal] = left
        else:
            del self._taken[principal]
