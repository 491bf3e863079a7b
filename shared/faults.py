"""Named fault points: no-ops unless armed by `PIPEROLL_FAULTS` or a test.

`PIPEROLL_FAULTS="store.before_commit=kill:3;effect.after_confirm=raise"` kills the process at the third pass of the
first point and raises `ArmedFault` at the first pass of the second; `stop` makes the process stand still there until it
is woken from outside. Refused in the production profile.
"""

import os
import signal
from collections.abc import Mapping
from enum import StrEnum

from shared.errors import WorldFault


class Point(StrEnum):
    """Every place where the harness may strike; a point that no code passes is an error in a test."""

    GATEWAY_BEFORE_APPEND = "gateway.before_append"
    GATEWAY_AFTER_APPEND = "gateway.after_append"
    STORE_BEFORE_COMMIT = "store.before_commit"
    STORE_IN_COMMIT = "store.in_commit"
    STORE_AFTER_COMMIT = "store.after_commit"
    WRITER_BEFORE_DECIDE = "writer.before_decide"
    WRITER_AFTER_DECIDE = "writer.after_decide"
    RELAY_BEFORE_SEND = "relay.before_send"
    RELAY_AFTER_SEND = "relay.after_send"
    EFFECT_BEFORE_CREATE = "effect.before_create"
    EFFECT_AFTER_CREATE = "effect.after_create"
    EFFECT_BEFORE_CONFIRM = "effect.before_confirm"
    EFFECT_AFTER_CONFIRM = "effect.after_confirm"
    EFFECT_BEFORE_OUTCOME = "effect.before_outcome"
    EFFECT_BEFORE_REFUND = "effect.before_refund"
    EFFECT_AFTER_REFUND = "effect.after_refund"
    MAIL_BEFORE_SEND = "mail.before_send"
    MAIL_AFTER_SEND = "mail.after_send"
    BALANCES_AFTER_SEND = "balances.after_send"
    PROJECTION_BEFORE_COMMIT = "projection.before_commit"
    PROJECTION_BEFORE_SWAP = "projection.before_swap"


class ArmedFault(WorldFault):
    """A fault point did as it was told."""


_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: dict[str, tuple[str, int]] = {}


def arm(point: Point, action: str = "raise", at_pass: int = 1) -> None:
    """Make the `at_pass`-th pass of `point`, and no other, `raise`, `kill` or `stop` (a signal to this process)."""
    if action != "raise" and action not in _SIGNALS:
        raise ValueError(f"{action} is not one of raise, kill, stop")
    _armed[point] = (action, at_pass)


def disarm_all() -> None:
    """Make every point a no-op again."""
    _armed.clear()


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what `PIPEROLL_FAULTS` lists; an unknown point or the production profile raises ValueError."""
    text = environment.get("PIPEROLL_FAULTS", "")
    if text and environment.get("PIPEROLL_PROFILE") == "production":
        raise ValueError("PIPEROLL_FAULTS is refused in the production profile")
    for part in filter(None, text.split(";")):
        point, _, what = part.partition("=")
        action, _, at_pass = what.partition(":")
        arm(Point(point.strip()), action or "raise", int(at_pass or "1"))


def reach(point: Point) -> None:
    """Pass a fault point; raises `ArmedFault`, ends or stops the process where it is armed for this pass."""
    if not _armed:
        return
    armed = _armed.get(point)
    if armed is None:
        return
    action, left = armed
    if left > 1:
        _armed[point] = (action, left - 1)
        return
    del _armed[point]
    if action == "raise":
        raise ArmedFault(f"fault point {point}")
    os.kill(os.getpid(), _SIGNALS[action])
