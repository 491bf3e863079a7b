"""Every error of ours, by who can mend it.

    PiperollError
    ├── BadInput            the sender's fault: refuse, name field and rule, do not retry
    │   ├── BadRecord       bytes on a topic that are no record of ours: park
    │   └── Conflict        same id, other content: names both
    ├── WorldFault          the world's fault: retry within a bound
    │   ├── StoreDown       PostgreSQL cannot be reached
    │   │   └── RowHeld     another transaction holds a row for too long
    │   ├── UnknownCommit   the connection was lost in COMMIT: ask before going on
    │   ├── Overloaded      a bounded queue is full: 503 with Retry-After
    │   └── OnHold          the household waits behind a parked record, or for a newer version that can read it
    └── OwnFault            our fault or a changed world: stop the worker, alarm
        ├── Fenced          another worker took the shard
        ├── AlreadyStored   an event with this id, or this version of its stream, is in the log
        ├── ClockAhead      this machine's clock is more than a second ahead of the database's
        ├── Misplaced       a server has other shards than the settings place on it
        ├── Fork            two records claim one position
        └── RolledBack      a topic is ahead of its log: the store is an old copy

A refusal of a decider is none of these: it is an event with a reason.
"""


class PiperollError(Exception):
    """Base of every error raised on purpose."""


class BadInput(PiperollError):
    """The sender's fault."""


class BadRecord(BadInput):
    """Bytes on a topic that are no record of ours; `cause` is a stable word for operators."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause


class Conflict(BadInput):
    """One id, two contents; `existing` names what the id already stands for."""

    def __init__(self, message: str, existing: str) -> None:
        super().__init__(message)
        self.existing = existing


class WorldFault(PiperollError):
    """The world's fault: retry within a bound."""


class StoreDown(WorldFault):
    """PostgreSQL cannot be reached; nothing was stored."""


class RowHeld(StoreDown):
    """Another transaction holds a row and did not let it go in time; nothing was stored."""


class UnknownCommit(WorldFault):
    """The connection was lost while COMMIT was under way: stored or not is not known."""


class Overloaded(WorldFault):
    """A bounded queue is full; `retry_after_s` is a fair time to come back."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OnHold(WorldFault):
    """The household's later records wait behind a parked one, or this version cannot read what is in its log."""


class OwnFault(PiperollError):
    """Stop and alarm; never log and go on."""


class Fenced(OwnFault):
    """Another worker took the shard: drop all state, take no new epoch until assigned again."""


class AlreadyStored(OwnFault):
    """An event with this id, or this version of its stream, is in the log: what was decided on is not what is there."""


class ClockAhead(OwnFault):
    """This machine's clock is more than a second ahead of the database's."""


class Misplaced(OwnFault):
    """A server has other shards than the settings place on it: what was written there would be missed or split."""


class Fork(OwnFault):
    """Two different records claim one position of one log."""


class RolledBack(OwnFault):
    """A topic holds records that its producer's log has lost."""
