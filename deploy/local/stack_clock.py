"""The stack's clock: a file with the whole seconds by which the stack's time is ahead; it only grows."""

from __future__ import annotations

import fcntl
import re
from datetime import UTC, datetime, timedelta

from deploy.local.errors import LocalStackError
from deploy.local.files import write_atomically
from deploy.local.folder import StateFolder

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def span_s(text: str) -> int:
    """Return the seconds of `90s`, `15m`, `12h`, `3d` or of several together (`1d12h`)."""
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise LocalStackError(f"{text!r} is no span of time: write a whole number and s, m, h or d, as in 3d or 1d12h")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def read_s(state: StateFolder) -> int:
    """Return by how many seconds the stack is ahead of the machine."""
    try:
        return int(state.clock.read_text(encoding="utf-8").strip() or "0")
    except FileNotFoundError:
        return 0
    except ValueError as error:
        raise LocalStackError(f"{state.clock} does not hold a whole number of seconds") from error


def advance(state: StateFolder, by_s: int) -> int:
    """Move the stack's time on and return by how many seconds it is ahead now."""
    if not state.exists():
        raise LocalStackError(f"{state} is no state folder: name one with --state")
    with (state.path / "clock.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ahead_s = read_s(state) + by_s
        write_atomically(state.clock, f"{ahead_s}\n")
    return ahead_s


def stack_time(ahead_s: int) -> datetime:
    """Return the stack's time now, in UTC."""
    return datetime.now(UTC) + timedelta(seconds=ahead_s)
