"""What can go wrong while the local stack is set up, started or asked."""

from __future__ import annotations

from pathlib import Path

from shared.errors import PiperollError


class LocalStackError(PiperollError):
    """One sentence for the person at the terminal: what was tried, why it failed, what to do."""


class AlreadyRunningError(LocalStackError):
    """Another `up` holds the state folder."""

    def __init__(self, state: Path, pid: int | None) -> None:
        who = f"by process {pid}" if pid else "by another process"
        super().__init__(
            f"the stack in {state} is already running ({who}): stop it with "
            f"`piperoll down --state {state}`, or choose another folder with --state"
        )


class NotRunningError(LocalStackError):
    """Nothing runs in the state folder."""

    def __init__(self, state: Path) -> None:
        super().__init__(f"no stack runs in {state}: start one with `piperoll up --state {state}`")
