"""Faults on request: what can be asked for, which are pending, and which one a call meets."""

from typing import Any, Literal, assert_never

import msgspec
from msgspec import Struct, structs

from deploy.simulators.card.calls import routes
from deploy.simulators.card.cards import DECLINE_CODES, declines
from deploy.simulators.card.intents import PLAIN, Twist
from deploy.simulators.card.store import Store

WEBHOOK = "webhook"
CALLS = routes.NAMES | {WEBHOOK}
_CONFIRMS = frozenset({"create", "confirm"})
_ANY_CALL = routes.NAMES
_BY_KIND = {
    "declined": _CONFIRMS,
    "charge_twice": _CONFIRMS,
    "processing": _CONFIRMS,
    "answer_lost": _ANY_CALL,
    "request_lost": _ANY_CALL,
    "slow": _ANY_CALL,
    "hold": _ANY_CALL,
    "error_409": _ANY_CALL,
    "error_429": _ANY_CALL,
    "error_500": _ANY_CALL,
    "error_500_after": _ANY_CALL,
    "lost": frozenset({WEBHOOK}),
    "twice": frozenset({WEBHOOK}),
    "late": frozenset({WEBHOOK}),
    "out_of_order": frozenset({WEBHOOK}),
}
_WITH_SECONDS = frozenset({"slow", "hold", "late", "processing"})
_ON_THE_WIRE = frozenset({"answer_lost", "request_lost", "slow", "hold", "error_409", "error_429"})


class BadFault(Exception):
    """The fault asked for does not exist; the text says what does."""


class FaultAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /_sim/faults`."""

    call: str
    fault: str
    times: int = 1
    match: dict[str, str | int | bool] = {}


class Fault(Struct, frozen=True, kw_only=True):
    """A pending fault; `left` more calls will meet it."""

    id: int
    call: str
    fault: str
    kind: str
    detail: str
    match: dict[str, str]
    left: int

    @property
    def seconds(self) -> float:
        return float(self.detail)


def checked(ask: FaultAsk) -> Fault:
    """Return the fault that was asked for, not yet numbered; BadFault when it makes no sense."""
    if ask.call not in CALLS:
        raise BadFault(f"unknown call {ask.call!r}; calls are {', '.join(sorted(CALLS))}")
    kind, _, detail = ask.fault.partition(":")
    if kind not in _BY_KIND:
        raise BadFault(f"unknown fault {ask.fault!r}; faults are {', '.join(sorted(_BY_KIND))}")
    if ask.call not in _BY_KIND[kind]:
        raise BadFault(f"fault {kind!r} is not for the call {ask.call!r} but for {', '.join(sorted(_BY_KIND[kind]))}")
    if kind == "declined" and (detail or "generic_decline") not in DECLINE_CODES:
        raise BadFault(f"unknown decline reason {detail!r}; reasons are {', '.join(sorted(DECLINE_CODES))}")
    if kind in _WITH_SECONDS and not _is_seconds(detail):
        raise BadFault(f"fault {kind!r} needs seconds, as in {kind}:2.5")
    if kind not in _WITH_SECONDS and kind != "declined" and detail:
        raise BadFault(f"fault {kind!r} takes nothing after a colon")
    if ask.times < 1:
        raise BadFault("times must be at least 1")
    return Fault(
        id=0,
        call=ask.call,
        fault=ask.fault,
        kind=kind,
        detail=detail or ("generic_decline" if kind == "declined" else ""),
        match={path: _as_text(value) for path, value in ask.match.items()},
        left=ask.times,
    )


def _is_seconds(text: str) -> bool:
    whole, _, part = text.partition(".")
    return whole.isdecimal() and (not part or part.isdecimal()) and text.isascii()


def _as_text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def matches(fault: Fault, *sides: dict[str, Any]) -> bool:
    """Return whether each wanted field has the wanted value in one of the sides (parameters, object)."""
    return all(any(_at(side, path) == wanted for side in sides) for path, wanted in fault.match.items())


def _at(inside: Any, path: str) -> str | None:
    for part in path.split("."):
        if isinstance(inside, list) and part.isdecimal() and int(part) < len(inside):
            inside = inside[int(part)]
        elif isinstance(inside, dict) and part in inside:
            inside = inside[part]
        else:
            return None
    return None if inside is None or isinstance(inside, dict | list) else _as_text(inside)


def twist(fault: Fault | None) -> Twist:
    """Return what a fault changes about a confirm."""
    match fault:
        case Fault(kind="declined"):
            return Twist(decline=declines(fault.detail))
        case Fault(kind="charge_twice"):
            return Twist(charges=2)
        case Fault(kind="processing"):
            return Twist(processing_s=fault.seconds)
        case _:
            return PLAIN


class Faults:
    """The pending faults, oldest first; durable, so a restart forgets none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        rows = store.rows("SELECT data FROM fault ORDER BY id")
        self.pending = [msgspec.json.decode(row[0], type=Fault) for row in rows if isinstance(row[0], bytes)]
        self._last_id = max((fault.id for fault in self.pending), default=0)

    def add(self, ask: FaultAsk) -> Fault:
        self._last_id += 1
        fault = structs.replace(checked(ask), id=self._last_id)
        self.pending.append(fault)
        self._write(fault)
        return fault

    def clear(self) -> int:
        """Forget all; return how many there were."""
        count = len(self.pending)
        self.pending.clear()
        self._store.write("DELETE FROM fault")
        return count

    def meet(self, call: str, when: "When", parameters: dict[str, Any], about: dict[str, Any]) -> Fault | None:
        """Return the fault that a call (its parameters, its object) meets, used up by one."""
        for fault in self.pending:
            if fault.call == call and _is_time(fault, when) and matches(fault, parameters, about):
                self._use(fault)
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        place = next(index for index, each in enumerate(self.pending) if each.id == fault.id)
        if fault.left > 1:
            self.pending[place] = structs.replace(fault, left=fault.left - 1)
            self._write(self.pending[place])
        else:
            del self.pending[place]
            self._store.write("DELETE FROM fault WHERE id = ?", fault.id)

    def _write(self, fault: Fault) -> None:
        self._store.write("INSERT OR REPLACE INTO fault (id, data) VALUES (?, ?)", fault.id, msgspec.json.encode(fault))


When = Literal["first", "confirming", "replay", "event"]
"""Whether a call runs for the first time (and would charge), or only repeats an answer, or is a webhook."""


def _is_time(fault: Fault, when: When) -> bool:
    match when:
        case "event" | "confirming":
            return True
        case "first":
            return fault.kind not in ("declined", "charge_twice", "processing")
        case "replay":
            return fault.kind in _ON_THE_WIRE
        case _:
            assert_never(when)
