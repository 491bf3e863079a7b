"""Deciders: pure functions from (command or fact, state) to events, and what binds them to streams."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from shared.contracts.event import Actor, Event

S = TypeVar("S")


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something asked of one service by itself (an effect's outcome, a due date); never on a topic."""

    TYPE: ClassVar[str] = ""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """What is being decided: its event id in hexadecimal and its place `source.shard.position`."""

    event_id: str
    place: str
    type: str


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a decider may know besides command and state; all of it is stored, so a replay decides the same.

    `recorded_at` is the time that the decision will carry, `today` its day in the tenant's zone. `effective_date` is
    the cause's, or today for a submitted command. `root` makes ids.
    """

    tenant: str
    shard: int
    root: bytes
    recorded_at: datetime
    today: str
    effective_date: str
    actor: Actor
    correlation: str
    cause: Cause


@dataclass(frozen=True)
class StreamKind(Generic[S]):
    """One kind of stream: its id's prefix, the state before its first event, and how an event changes the state.

    `evolve` may not fail and never mutates what it is given. `state_type` is a msgspec Struct, for snapshots.
    """

    prefix: str
    state_type: type[S]
    initial: Callable[[str], S]
    evolve: Callable[[S, Event], S]


Decide = Callable[[Any, Any, Context], Sequence[Event]]


@dataclass(frozen=True)
class Handler:
    """Which stream a command or fact concerns (None: nobody), and what decides it."""

    stream: Callable[[Any], str | None]
    decide: Decide


@dataclass(frozen=True)
class Registry:
    """A service's handlers by type of command or event; a known fact without a handler concerns nobody."""

    service: str
    kinds: Sequence[StreamKind[Any]]
    handlers: Mapping[type, Handler]
    by_prefix: dict[str, StreamKind[Any]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_prefix", {kind.prefix: kind for kind in self.kinds})

    def kind_of(self, stream: str) -> StreamKind[Any]:
        """Return the kind of a stream by the part of its id before the first underscore; KeyError if none."""
        return self.by_prefix[stream.partition("_")[0]]
