"""`piperoll down`: stops the stack of a state folder, whoever started it."""

from __future__ import annotations

import os
import signal
import time

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.leftovers import is_alive, sweep_recorded

_STOP_WITHIN_S = 60.0
_POLL_S = 0.05


def stop(state: StateFolder) -> bool:
    """Stop it and return when nothing is left; False when nothing ran."""
    supervisor = state.supervisor()
    pid, started = supervisor.get("pid"), supervisor.get("started")
    ran = isinstance(pid, int) and isinstance(started, str) and is_alive(pid, started)
    if ran and isinstance(pid, int) and isinstance(started, str):
        _end(pid, started)
    elif state.is_locked():
        raise LocalStackError(f"{state} is held by a process that is just starting or stopping: try again in a moment")
    return bool(sweep_recorded(state.running)) or ran


def _end(pid: int, started: str) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as error:
        raise LocalStackError(f"the stack belongs to another user (process {pid}): stop it as that user") from error
    deadline = time.monotonic() + _STOP_WITHIN_S
    while is_alive(pid, started):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)
