"""Given a log, when effects run over it, then commands: the effect side of billing without rail, writer or clock."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.billing.effects.outbox import Outbox
from services.billing.effects.works import Origin
from shared.clock import rfc3339
from shared.contracts.billing import RefundOpened
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor, Event
from shared.decider import Command
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.ports import EventRow

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT = rfc3339(NOW)
ACTOR = Actor("system", "test")
ORIGIN = Origin(tenant="demo", correlation="c", causation=None, trace=None)
REFUND = RefundOpened(
    account_id="acc_a", refund_id="rfd_0_a", payment_id="pay_0_a", fund_id="pay_0_a", reference="R", amount_minor=100,
    currency="USD", reason="overpaid", processor="card", processor_ref="pi_1", charge_ref="ch_1", approvals_needed=0,
    digest="", approve_by=None,
)  # fmt: skip


def row(event: Event, position: int = 1) -> EventRow:
    """Return an event as it stands at a position of shard 0's log, recorded at `NOW`."""
    envelope = Envelope(
        tenant="demo", event_id=f"{position:032x}", type=event.TYPE, stream="s", version=position, recorded_at=AT,
        effective_date="2026-03-02", actor=ACTOR, correlation="c", causation=None, payload=encode_event(event),
    )  # fmt: skip
    return EventRow(0, position, "s", position, position.to_bytes(16), event.TYPE, seal(envelope))


def rows(*events: Event) -> list[EventRow]:
    return [row(event, position) for position, event in enumerate(events, 1)]


class Log:
    """A log that is read in pages."""

    def __init__(self, *events: Event) -> None:
        self.rows = rows(*events)

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        return self.rows[after : after + limit]


class Writer:
    """Notes what is submitted; a root that was there before is a repeat, which adds nothing."""

    def __init__(self) -> None:
        self.taken: list[Submitted] = []

    async def submit(self, submitted: Submitted) -> Answer:
        replayed = submitted.root in {one.root for one in self.taken}
        if not replayed:
            self.taken.append(submitted)
        return Answer(shard=0, position=0, rows=(), replayed=replayed)

    @property
    def commands(self) -> list[Command | Event]:
        return [one.command for one in self.taken]

    @property
    def outbox(self) -> Outbox:
        return Outbox(self, ACTOR)


def answering(**answers: Any) -> Any:
    """Return a rail whose calls give their answers one after the other, an exception by raising it."""

    class Rail:
        processor = "card"

        def __init__(self) -> None:
            self.asked: list[str] = []

        def __getattr__(self, name: str) -> Any:
            async def call(*_: Any) -> Any:
                self.asked.append(name)
                answer = answers[name].pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

            return call

    return Rail()
