"""Liveness as progress: a reader with something to do must move within a minute."""

import time
from collections.abc import Callable, Mapping

STILL_S = 60.0


class Pulse:
    """Remembers when places last moved."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: Mapping[object, int] = {}
        self._moved_at = monotonic()

    def restart(self) -> None:
        """Count from now."""
        self._moved_at = self._monotonic()

    def silent_s(self) -> float:
        """Return for how long nothing has moved although there was something to do."""
        return self._monotonic() - self._moved_at

    def beats(self, places: Mapping[object, int], lag: int) -> bool:
        """Take note of the present places; False when there is lag and none has moved for 60 s."""
        if lag == 0 or dict(places) != self._seen:
            self._seen = dict(places)
            self._moved_at = self._monotonic()
        return self.silent_s() < STILL_S
