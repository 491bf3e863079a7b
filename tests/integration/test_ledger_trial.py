"""Trial balances, from a real database: a civil day is told when it has ended, again when it changes, else once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
from msgspec.structs import replace as changed

from services.ledger.domain.trial import stream_of
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.trial_balances import TrialReporter
from shared.clock import SystemClock
from shared.contracts.direct import TrialBalanceReported
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.packing import unpack
from shared.eventlog.projection_runner import ProjectionRunner
from shared.ids import shard_of
from shared.telemetry.metrics import REGISTRY
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, LedgerShard, held_shard
from tests.unit.ledger.story import found

HERE = shard_of("demo", stream_of("demo"), SHARDS)
ZONE = ZoneInfo("America/New_York")


class ShiftedClock(SystemClock):
    """The machine's time and a shift that only grows, as the local stack's."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift

    def offset(self) -> timedelta:
        return self.shift

    def today(self) -> date:
        return self.now().astimezone(ZONE).date()


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


@asynccontextmanager
async def reporting(database: Database, clock: ShiftedClock, shard: int = HERE) -> AsyncIterator[LedgerShard]:
    def parts(context: ShardContext) -> tuple[ShardPart, ...]:
        return (ProjectionRunner(context, PROJECTIONS), TrialReporter(context, look_every_s=0))

    async with held_shard(database.dsn, shard, parts, clock) as held:
        yield held


def reports(database: Database) -> list[dict[str, Any]]:
    """Return what was told, in order."""
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute(
            "SELECT data FROM event WHERE type = %s ORDER BY shard, position", (TrialBalanceReported.TYPE,)
        ).fetchall()
    payloads = [msgspec.json.decode(unpack(data))["payload"] for (data,) in rows]
    return [payload for payload in payloads if isinstance(payload, dict)]


def figures(database: Database) -> list[tuple[str, int]]:
    """Return day and debits of 1125 of each report."""
    return [(one["day"], next(line["debit_minor"] for line in one["lines"] if line["code"] == "1125"))
            for one in reports(database)]  # fmt: skip


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not reached():
            await asyncio.sleep(0.05)


def charged(number: int, on: date) -> Any:
    return changed(found(100, f"pay_{HERE}_{number}"), settled_on=on.isoformat())


async def test_a_day_is_told_when_it_has_ended_and_again_when_a_late_fact_changes_it(database: Database) -> None:
    clock = ShiftedClock()
    today, yesterday = clock.today(), clock.today() - timedelta(days=1)
    async with reporting(database, clock) as shard:
        await shard.tell(charged(1, yesterday), charged(2, today))
        await until(lambda: figures(database) == [(str(yesterday), 100)])
        await shard.tell(charged(3, yesterday))
        await until(lambda: figures(database)[1:] == [(str(yesterday), 200)])
        clock.shift = timedelta(days=1)
        await until(lambda: figures(database)[2:] == [(str(today), 300)])

    last = reports(database)[-1]
    assert set(last["positions"]) == {str(HERE)}
    assert sum(line["debit_minor"] for line in last["lines"]) == sum(line["credit_minor"] for line in last["lines"])


async def test_days_that_ended_while_nobody_worked_are_made_up_and_a_next_owner_repeats_none(
    database: Database,
) -> None:
    clock = ShiftedClock()
    today = clock.today()
    async with held_shard(database.dsn, HERE, clock=clock) as shard:
        await shard.tell(charged(1, today - timedelta(days=3)))
        await shard.folded()
    wanted = [(str(today - timedelta(days=ago)), 100) for ago in (3, 2, 1)]
    for _ in range(2):
        async with reporting(database, clock):
            await until(lambda: figures(database) == wanted)
            await asyncio.sleep(1.5)  # a second look, which must tell nothing

    assert figures(database) == wanted


async def test_a_shard_that_has_not_the_tenants_stream_tells_nothing(database: Database) -> None:
    clock = ShiftedClock()
    async with reporting(database, clock, 1 - HERE) as other:
        await other.tell(charged(1, clock.today() - timedelta(days=1)))
        await other.folded()
        await asyncio.sleep(1.5)  # its look

    assert reports(database) == []


async def test_what_is_uneven_is_an_alarm_and_no_report(database: Database) -> None:
    clock = ShiftedClock()
    async with held_shard(database.dsn, HERE, clock=clock) as shard:
        await shard.tell(charged(1, clock.today() - timedelta(days=1)))
        await shard.folded()
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute("UPDATE ledger_day SET debit_minor = debit_minor + 1 WHERE code = '1125'")
    name = "piperoll_trial_balances_uneven_total"
    before = REGISTRY.get_sample_value(name) or 0
    async with reporting(database, clock):
        await until(lambda: (REGISTRY.get_sample_value(name) or 0) > before)

    assert reports(database) == []
