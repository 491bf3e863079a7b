"""A part that is one task works until it is stopped; what hinders a duty is told, let go of, and tried again."""

import asyncio
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from shared.clock import SystemClock
from shared.decider import Registry
from shared.errors import StoreDown
from shared.eventlog import task_part
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.memory import MemoryPublisher, MemoryStore
from shared.eventlog.task_part import TaskPart
from shared.eventlog.writer import Writer


class Dutiful(TaskPart):
    """Does its duty as often as it is let; `hindered_by` is what the first tries meet."""

    def __init__(self, hindered_by: Sequence[Exception] = ()) -> None:
        store, clock, zone = MemoryStore(1), SystemClock(), ZoneInfo("UTC")
        writer = Writer(Registry("test", (), {}), 0, store, clock, zone)
        super().__init__(ShardContext("test", 0, 1, writer, store, clock, "", zone, MemoryPublisher()))
        self.hindered_by = list(hindered_by)
        self.done = 0
        self.let_go = 0
        self.is_done = asyncio.Event()

    async def _run(self) -> None:
        await self._every(0, self._duty)

    async def _duty(self) -> None:
        if self.hindered_by:
            raise self.hindered_by.pop(0)
        self.done += 1
        self.is_done.set()

    async def _let_go(self) -> None:
        self.let_go += 1


async def test_a_part_works_until_it_is_stopped_and_then_lets_go() -> None:
    part = Dutiful()
    await part.start()
    await part.is_done.wait()
    await part.stop()
    done = part.done
    await asyncio.sleep(0)
    assert (part.done, part.let_go) == (done, 1)


async def test_a_part_that_never_began_is_stopped_all_the_same() -> None:
    part = Dutiful()
    await part.stop()
    assert (part.done, part.let_go) == (0, 1)


@pytest.mark.parametrize(
    ("hindrance", "level", "event"),
    [
        (StoreDown("no server"), "warning", "duty_waits"),
        (psycopg.OperationalError("no server"), "warning", "duty_waits"),
        (ValueError("our fault"), "critical", "duty_failed"),
    ],
    ids=str,
)
async def test_what_hinders_a_duty_is_told_and_let_go_of_and_the_duty_tried_again(
    monkeypatch: pytest.MonkeyPatch, hindrance: Exception, level: str, event: str
) -> None:
    told: list[tuple[str, str, str]] = []

    class Log:
        def warning(self, event: str, **names: Any) -> None:
            told.append(("warning", event, names["duty"]))

        def critical(self, event: str, **names: Any) -> None:
            told.append(("critical", event, names["duty"]))

    monkeypatch.setattr(task_part, "log", Log())
    part = Dutiful([hindrance])
    await part.start()
    await part.is_done.wait()
    assert part.let_go == 1
    await part.stop()
    assert told == [(level, event, "_duty")]
