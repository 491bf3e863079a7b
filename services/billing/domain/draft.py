"""A decision in the making: events so far, and the state as they leave it."""

from services.billing.domain.evolve import evolve
from services.billing.domain.household import Household
from shared.contracts.event import Event
from shared.decider import Context


class Draft:
    """What one decision adds, step by step; each step sees what the steps before it changed."""

    def __init__(self, state: Household, context: Context) -> None:
        self.state = state
        self.context = context
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        """Append an event and move the state on."""
        self._events.append(event)
        self.state = evolve(self.state, event)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, in order."""
        return tuple(self._events)
