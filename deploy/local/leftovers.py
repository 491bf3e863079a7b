"""Which processes are ours: known by pid and start time, so that a pid used again by a stranger is never touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.files import read_json_object

_POLL_S = 0.02


def started_mark(pid: int) -> str | None:
    """Return what tells this process from any other that had or will have its pid; None when there is none.

    Linux: the machine's boot and the start in ticks since. Elsewhere: what `ps` says. A zombie counts as gone.
    """
    if not sys.platform.startswith("linux"):
        ran = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return ran.stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def is_alive(pid: int, started: str) -> bool:
    """Say whether that very process still runs."""
    return started_mark(pid) == started


def end_group(pid: int, number: signal.Signals) -> None:
    """Send the signal to the process group that `pid` leads; nothing when it is gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def sweep(processes: Mapping[str, Any]) -> list[str]:
    """End what a killed supervisor left behind and return the names; each entry: {pid, started, death_signal}.

    PostgreSQL gets SIGQUIT and 10 s, so that its children end with it; whatever still stands then gets SIGKILL.
    """
    ours = {
        name: (entry["pid"], entry["started"], signal.Signals(entry.get("death_signal", signal.SIGKILL)))
        for name, entry in processes.items()
        if isinstance(entry, dict) and isinstance(entry.get("pid"), int) and isinstance(entry.get("started"), str)
    }
    left = {name: process for name, process in ours.items() if is_alive(process[0], process[1])}
    for pid, _, death_signal in left.values():
        end_group(pid, death_signal)
    if not _all_gone(left, within_s=10):
        for pid, started, _ in left.values():
            if is_alive(pid, started):
                end_group(pid, signal.SIGKILL)
        _all_gone(left, within_s=5)
    return sorted(left)


def sweep_recorded(running: Path) -> list[str]:
    """Do the same by the record that the supervisor wrote of what runs, and remove the record."""
    processes = read_json_object(running).get("processes")
    swept = sweep(processes) if isinstance(processes, dict) else []
    running.unlink(missing_ok=True)
    return swept


def _all_gone(processes: Mapping[str, tuple[int, str, signal.Signals]], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while any(is_alive(pid, started) for pid, started, _ in processes.values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
