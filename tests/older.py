"""An older version of ours: one that does not know some types of events yet."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.contracts import envelope
from shared.contracts.event import Event


@contextmanager
def older_version(*unknown: type[Event]) -> Iterator[None]:
    """Run as a version whose contracts lack these events, until the block ends."""
    taken = {event.TYPE: envelope.OPENERS.pop(event.TYPE) for event in unknown}
    try:
        yield
    finally:
        envelope.OPENERS.update(taken)
