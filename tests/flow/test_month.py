"""A month in which every process is killed at least once: each figure is what the plan says, as in a quiet month."""

import threading
from itertools import cycle
from pathlib import Path

from deploy.demo.play import play_on
from deploy.local.errors import LocalStackError
from deploy.local.stack import Stack

HOUSEHOLDS = 53
INTO_A_MOMENT_S = 0.5
OUTSIDE = ("card", "identity")
"""What is not ours: the month itself has the processor go away and come back."""


class Killer:
    """Kills one process in each moment of the month, one after the other."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.ours = [name for name in stack.processes if not name.startswith(OUTSIDE)]
        self.killed: list[str] = []
        self._next = cycle(self.ours)
        self._timers: list[threading.Timer] = []

    def a_moment_is_over(self, told: str) -> None:
        """Have the next process killed when the next moment has just begun."""
        timer = threading.Timer(INTO_A_MOMENT_S, self._kill, [next(self._next)])
        self._timers.append(timer)
        timer.start()

    def _kill(self, name: str) -> None:
        try:
            self._stack.kill(name)
        except LocalStackError:
            return  # it is starting again just now
        self.killed.append(name)

    def over(self) -> None:
        """Wait for what was planned, and for all to be back."""
        for timer in self._timers:
            timer.join()
        self._stack.wait_ready()


def test_a_month_with_kills_closes_as_planned(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        killer = Killer(stack)
        report = play_on(stack, HOUSEHOLDS, 1, killer.a_moment_is_over)
        killer.over()
        assert set(killer.killed) == set(killer.ours)
    assert [check.name for check in report.checks if not check.held] == []
