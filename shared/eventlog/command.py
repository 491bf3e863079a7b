"""What is handed to a writer by a caller in its own process, and what comes back."""

import msgspec

from shared.contracts.event import Actor, Event
from shared.decider import Command
from shared.eventlog.ports import EventRow


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its key: `root` makes its event ids, `digest` tells a repeat from a conflict (None: no check).

    `account_id` is what a hold of a parked record holds; None where the command is of no household.
    """

    command: Command | Event
    tenant: str
    root: bytes
    actor: Actor
    correlation: str
    digest: bytes | None = None
    causation: str | None = None
    effective_date: str | None = None
    trace: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a submitted command came to: its own events, committed (a repeat gets event 0 of the first).

    `rows` is empty where the decider saw no change and the command is not kept.
    """

    shard: int
    position: int
    rows: tuple[EventRow, ...]
    replayed: bool = False
