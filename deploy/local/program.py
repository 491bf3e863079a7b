"""One program of the stack: what is run, how it is asked whether it is ready, how it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Probe = Callable[[], Coroutine[Any, Any, bool]]
"""Says whether the program answers now; False, never an error, when it does not."""


@dataclass(frozen=True)
class Program:
    """What a keeper runs.

    `death_signal` is what the kernel sends when the supervisor dies without stopping it.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    probe: Probe
    log: Path
    port: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL
    is_service: bool = field(default=False)
