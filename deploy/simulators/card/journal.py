"""Puts a decision on record: objects, events, deliveries and timers in one transaction."""

import secrets
import time
from collections.abc import Callable

import msgspec
from msgspec import Raw

from deploy.simulators.card.faults import WEBHOOK, Faults
from deploy.simulators.card.objects import Balance, Decision, Event, Moment, Page, Refusal
from deploy.simulators.card.settings import Current
from deploy.simulators.card.store import Store
from shared.clock import Clock

API_VERSION = "2026-10-28.endive"
OUT_OF_ORDER_AT_MOST_S = 3.0
_encode = msgspec.json.Encoder().encode
_ADD_DELIVERY = "INSERT INTO delivery (event_id, first_at, due_at, attempts, swapped) VALUES (?, ?, ?, 0, ?)"


def mint(prefix: str) -> str:
    """Return a new id; ids grow with time, so that an index of them is appended to."""
    return f"{prefix}3{time.time_ns():016x}{secrets.token_hex(6)}"


def _nobody() -> None:
    """Stand in for a sender that is not there."""


class Journal:
    """The one place where a decision becomes rows."""

    def __init__(self, store: Store, faults: Faults, current: Current, clock: Clock, sends: bool) -> None:
        self._store, self._faults, self._current, self._clock = store, faults, current, clock
        self._sends = sends
        self.wake_webhooks: Callable[[], None] = _nobody
        self.wake_timers: Callable[[], None] = _nobody

    def seconds(self) -> float:
        """Return the stack clock's time."""
        return self._clock.now().timestamp()

    def moment(self) -> Moment:
        return Moment(int(self.seconds()), mint)

    def record(self, decision: Decision, request_id: str | None, key: str | None) -> tuple[int, bytes]:
        """Write all that was decided; return the answer's status and body."""
        written: dict[str, bytes] = {}
        for kept in {kept.id: kept for kept in decision.saved}.values():
            written[kept.id] = self._store.save(kept)
        if decision.tried is not None:
            intent, outcome = decision.tried
            sql = "INSERT INTO confirmation (intent, at, outcome) VALUES (?, ?, ?)"
            self._store.write(sql, intent, int(self.seconds()), outcome)
        for happened in decision.happened:
            self._happened(happened.kind, _encode(happened.about), request_id, key)
        for timer in decision.timers:
            self.add_timer(timer.wait_s, timer.act, timer.about.encode())
        match decision.answer:
            case Refusal(status, problem):
                return status, _encode({"error": problem})
            case Raw():
                return 200, bytes(decision.answer)
            case Page() | Balance():
                return 200, _encode(decision.answer)
            case answer:
                return 200, written.get(answer.id) or _encode(answer)

    def _happened(self, kind: str, about: bytes, request_id: str | None, key: str | None) -> None:
        sends = self._sends and self._current.sends(kind)
        event = Event(
            id=mint("evt_"),
            api_version=API_VERSION,
            created=int(self.seconds()),
            data={"object": Raw(about)},
            pending_webhooks=1 if sends else 0,
            request={"id": request_id, "idempotency_key": key},
            type=kind,
        )
        data = self._store.save_event(event)
        if sends:
            self._deliver(event.id, data)

    def _deliver(self, event_id: str, data: bytes) -> None:
        fault = None
        if any(fault.call == WEBHOOK for fault in self._faults.pending):
            event = msgspec.json.decode(data)
            fault = self._faults.meet(WEBHOOK, "event", event, event["data"]["object"])
        now = self.seconds()
        match fault.kind if fault else None:
            case "lost":
                return
            case "twice":
                self._store.write(_ADD_DELIVERY, event_id, now, now, 0)
                self._store.write(_ADD_DELIVERY, event_id, now, now, 0)
            case "late" if fault:
                self._store.write(_ADD_DELIVERY, event_id, now, now + fault.seconds, 0)
            case "out_of_order":
                self._store.write(_ADD_DELIVERY, event_id, now, now + OUT_OF_ORDER_AT_MOST_S, 1)
            case _:
                self._store.write(_ADD_DELIVERY, event_id, now, now, 0)
        self.wake_webhooks()

    def add_timer(self, wait_s: float, act: str, about: bytes) -> None:
        """Have something done later, on the stack clock."""
        sql = "INSERT INTO timer (due_at, act, about) VALUES (?, ?, ?)"
        self._store.write(sql, self.seconds() + wait_s, act, about)
        self.wake_timers()

    def drop_timers(self, act: str) -> None:
        self._store.write("DELETE FROM timer WHERE act = ?", act)
