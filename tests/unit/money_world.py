"""Two households in billing and ledger at once, deciders only: what billing decides is posted in the same breath."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from services.billing.domain.household import Household
from services.billing.handlers import REGISTRY as BILLING
from services.ledger.handlers import REGISTRY as LEDGER
from shared.contracts.event import Actor, Event
from shared.contracts.ledger import EntryPosted, LimitBroken
from shared.decider import Cause, Context, Registry
from shared.ids import root_of_record

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class World:
    """Both services' states by stream, every event told, and what is routed but not delivered yet."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.told: list[Event] = []
        self.entries: list[EntryPosted] = []
        self.broken: list[LimitBroken] = []
        self.routed: list[Event] = []
        self._states: dict[tuple[str, str], Any] = {}
        self._numbers = itertools.count(1)

    def fork(self) -> "World":
        """Return a world that goes on from here by itself."""
        world = World()
        world.now = self.now
        world.told, world.entries, world.broken = list(self.told), list(self.entries), list(self.broken)
        world.routed, world._states = list(self.routed), dict(self._states)
        world._numbers = itertools.count(len(self.told) * 100 + len(self.entries) + 1_000)
        return world

    def tell(self, message: Any, actor: str = "usr_1") -> list[Event]:
        """Have billing decide a message and the ledger post what it decided; return billing's events."""
        stream = BILLING.handlers[type(message)].stream(message)
        assert stream is not None
        events = self._decide(BILLING, stream, message, actor)
        for event in events:
            self.told.append(event)
            if hasattr(event, "routed_to"):
                self.routed.append(event)
            handler = LEDGER.handlers.get(type(event))
            if handler is not None:
                for posted in self._decide(LEDGER, str(handler.stream(event)), event, actor):
                    (self.entries if isinstance(posted, EntryPosted) else self.broken).append(posted)  # type: ignore[arg-type]
        return events

    def deliver(self, index: int = 0) -> list[Event]:
        """Deliver one routed event, of whichever shard."""
        return self.tell(self.routed.pop(index))

    def deliver_all(self) -> None:
        """Deliver until nothing is under way."""
        while self.routed:
            self.deliver()

    def household(self, account_id: str) -> Household:
        """Return billing's state of a household."""
        state: Household = self._state(BILLING, account_id)
        return state

    def ledger(self, account_id: str) -> Any:
        """Return the ledger's state of a household."""
        return self._state(LEDGER, account_id)

    def balance(self, code: str, sub_key: str | None = None, account_id: str | None = None) -> int:
        """Return debits less credits of an account code over all entries."""
        return sum(
            one.amount_minor if one.side == "D" else -one.amount_minor
            for entry in self.entries
            if account_id in (None, entry.account_id)
            for one in entry.postings
            if one.code == code and sub_key in (None, one.sub_key)
        )

    def later(self, **time: int) -> None:
        """Move the clock."""
        self.now += timedelta(**time)

    def reversed_minor(self) -> dict[str, int]:
        """Return how much of each entry was taken back, by the leg that measures it."""
        back: dict[str, int] = defaultdict(int)
        for entry in self.entries:
            if entry.reverses is not None:
                back[entry.reverses] += max(one.amount_minor for one in entry.postings)
        return back

    def _state(self, registry: Registry, stream: str) -> Any:
        return self._states.get((registry.service, stream)) or registry.kind_of(stream).initial(stream)

    def _decide(self, registry: Registry, stream: str, message: Any, actor: str) -> list[Event]:
        state = self._state(registry, stream)
        kind = registry.kind_of(stream)
        position = next(self._numbers)
        context = Context(
            tenant="demo",
            shard=3,
            root=root_of_record(registry.service if registry.service != "ledger" else "billing", 3, position),
            recorded_at=self.now,
            today=self.now.date().isoformat(),
            effective_date=self.now.date().isoformat(),
            actor=Actor("staff", actor),
            correlation="c",
            cause=Cause("00" * 16, f"x.3.{position}", type(message).TYPE),
        )
        events = list(registry.handlers[type(message)].decide(message, state, context))
        for event in events:
            state = kind.evolve(state, event)
        self._states[registry.service, stream] = state
        return events
