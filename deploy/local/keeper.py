"""Keeps one program running: starts it, starts it again with back-off when it ends, stops it when asked.

Linux tells a child when its parent's *thread* ends. All children are therefore started by the one thread that runs
the supervisor's loop and lives as long as the stack.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.errors import LocalStackError
from deploy.local.home import Say, quiet
from deploy.local.leftovers import end_group, started_mark
from deploy.local.program import Program

_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S, _HEALTHY_AFTER_S = 0.1, 5.0, 10.0
_PROBE_INTERVAL_S = 0.05
_HOPELESS_AFTER_EXITS = 5
_ROTATE_AT_BYTES = 20_000_000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


@dataclass(frozen=True)
class Running:
    """One run of the program."""

    pid: int
    started: str
    since_s: float


class Keeper:
    """One program and the task that keeps it; all methods are called on the supervisor's loop."""

    def __init__(self, program: Program, changed: Callable[[], None], tell: Say = quiet) -> None:
        self.program = program
        self.running: Running | None = None
        self.restarts = 0
        self.was_ready = False
        self._changed = changed
        self._tell = tell
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._exits_in_a_row = 0
        self._last_exit: int | None = None

    @property
    def wanted(self) -> bool:
        """Say whether it should run: False after `stop`, until `start`."""
        return self._wanted

    def start(self) -> None:
        """Run the program from now on."""
        if self._task is None or self._task.done():
            self._wanted = True
            self._exits_in_a_row = 0
            self._task = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")

    async def stop(self) -> None:
        """Ask the program to end and wait for it; after its time-out it is killed. It stays stopped."""
        self._wanted = False
        task, running = self._task, self.running
        if task is None:
            return
        if running is None:
            task.cancel()
        else:
            end_group(running.pid, self.program.stop_signal)
        done, _ = await asyncio.wait({task}, timeout=self.program.stop_timeout_s)
        if not done and running is not None:
            end_group(running.pid, signal.SIGKILL)
            await asyncio.wait({task}, timeout=5)
        self._task = None

    async def is_ready(self) -> bool:
        """Ask the program now."""
        if self.running is None or not await self.program.probe():
            return False
        self.was_ready = True
        return True

    async def wait_ready(self, deadline: float) -> None:
        """Return when the program answers; LocalStackError at the deadline (event loop's time) or when hopeless."""
        while not await self.is_ready():
            if not self.was_ready and self._exits_in_a_row >= _HOPELESS_AFTER_EXITS:
                raise LocalStackError(f"{self.program.name} ends right after its start{self._why()}")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalStackError(f"{self.program.name} is not ready in time{self._why()}")
            await asyncio.sleep(_PROBE_INTERVAL_S)

    async def _keep(self) -> None:
        back_off_s = _FIRST_BACK_OFF_S
        while self._wanted:
            began = time.monotonic()
            await self._run_once()
            if not self._wanted:
                break
            if time.monotonic() - began > _HEALTHY_AFTER_S:
                back_off_s = _FIRST_BACK_OFF_S
                self._exits_in_a_row = 0
            self._exits_in_a_row += 1
            self._tell(f"{self.program.name} ended{self._exit_code()}: starting it again in {back_off_s:.1f} s")
            await asyncio.sleep(back_off_s)
            back_off_s = min(back_off_s * 2, _LONGEST_BACK_OFF_S)
            self.restarts += 1

    async def _run_once(self) -> None:
        program = self.program
        self._rotate()
        parent = os.getpid()
        with program.log.open("ab") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *program.argv,
                    env=dict(program.env),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: _die_with(parent, program.death_signal),
                )
            except OSError as error:
                log.write(f"could not be started: {error}\n".encode())
                return
        self.running = Running(process.pid, started_mark(process.pid) or "", time.time())
        self._changed()
        try:
            self._last_exit = await process.wait()
        finally:
            end_group(process.pid, signal.SIGKILL)
            self.running = None
            self._changed()

    def _rotate(self) -> None:
        log = self.program.log
        if log.exists() and log.stat().st_size > _ROTATE_AT_BYTES:
            os.replace(log, log.with_suffix(".log.1"))

    def _why(self) -> str:
        try:
            lines = self.program.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        last = f"; it last said: {lines[-1][:300]}" if lines else ""
        return f"{self._exit_code()}{last}; see {self.program.log}"

    def _exit_code(self) -> str:
        return f" (exit code {self._last_exit})" if self._last_exit is not None else ""


def _die_with(parent: int, number: signal.Signals) -> None:
    """In the child, before the program: end when the supervisor ends, however it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
