"""`piperoll logs`: what one process of the stack said."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder

_POLL_S = 0.2


def find(state: StateFolder, name: str) -> Path:
    """Return the log of the process called `name`."""
    known = sorted(path.stem for path in state.logs.glob("*.log"))
    if name not in known:
        there = f"there are: {', '.join(known)}" if known else "nothing ran there yet"
        raise LocalStackError(f"{state} has no log of {name}; {there}")
    return state.logs / f"{name}.log"


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last `count` lines."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]


def follow(log: Path) -> Iterator[str]:
    """Yield each further line as it comes, also over a rotation; never ends by itself."""
    lines = log.open(encoding="utf-8", errors="replace")
    try:
        lines.seek(0, os.SEEK_END)
        while True:
            line = lines.readline()
            if line:
                yield line.rstrip("\n")
                continue
            if log.exists() and not os.path.samestat(log.stat(), os.fstat(lines.fileno())):
                lines.close()
                lines = log.open(encoding="utf-8", errors="replace")
            time.sleep(_POLL_S)
    finally:
        lines.close()
