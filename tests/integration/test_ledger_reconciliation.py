"""1125 against the processor's reports: each day once, again when later facts change it, over all shards."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from services.ledger.app import parts
from services.ledger.checks import newest_differences
from services.ledger.projections import PROJECTIONS
from shared.contracts.billing import ReportImported, ReportLine, ReportPartImported
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.unit.ledger.story import found, registered, settled

DAY = "2026-02-09"


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def line(reference: str, minor: int = 18165, fee_minor: int = 0) -> ReportLine:
    return ReportLine(
        transaction_ref=f"txn_{reference}",
        source_ref=f"ch_{reference}",
        intent_ref=reference,
        kind="charge",
        amount_minor=minor,
        fee_minor=fee_minor,
        net_minor=minor - fee_minor,
        currency="USD",
        created_at="2026-02-10T03:00:00.000000Z",
    )


def report(*lines: ReportLine, day: str = DAY, opening_minor: int = 0) -> tuple[ReportPartImported, ReportImported]:
    part = ReportPartImported(processor="card", day=day, part=1, parts=1, lines=lines)
    closing_minor = opening_minor + sum(one.net_minor for one in lines)
    header = ReportImported(
        processor="card",
        day=day,
        currency="USD",
        opening_minor=opening_minor,
        closing_minor=closing_minor,
        parts=1,
        lines=len(lines),
    )
    return part, header


def days(dsn: str) -> list[tuple[Any, ...]]:
    """Return (day, book, processor, difference, open exceptions) of each event in the log, in order."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT convert_from(data, 'UTF8')::json->'payload' FROM event"
            " WHERE type = 'ledger.reconciliation-reported.v1' ORDER BY shard, position"
        ).fetchall()
    return [
        (
            one["day"],
            one["book_minor"],
            one["processor_minor"],
            one["difference_minor"],
            sum(bucket["count"] for bucket in one["open_exceptions"]),
        )
        for (one,) in found
    ]


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_day_is_reported_over_all_shards_at_named_positions(database: Database) -> None:
    async with (
        held_shard(database.dsn, 0, parts) as first,
        held_shard(database.dsn, 1, lambda context: (ProjectionRunner(context, PROJECTIONS),)) as second,
    ):
        await first.tell(registered(payment_id="a"), settled(payment_id="a"))
        await second.tell(registered(1000, "b"), settled(1000, "b"))
        await first.tell(*report(line("pi_a"), line("pi_b", 1000)))
        await until(lambda: bool(days(database.dsn)))
        await first.folded()

    assert days(database.dsn) == [(DAY, 19165, 19165, 0, 0)]
    assert newest_differences(database.dsn) == [("1125", "card", DAY, 0)]
    with psycopg.connect(database.dsn) as connection:
        row = connection.execute("SELECT positions FROM reconciliation_day").fetchone()
    assert row == ({"0": 4, "1": 2},)


async def test_a_fact_that_comes_later_makes_a_report_that_supersedes(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(*report(line("pi_a")))
        await until(lambda: len(days(database.dsn)) == 1)
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"))
        await until(lambda: len(days(database.dsn)) == 2)
        await shard.folded()

    assert days(database.dsn) == [(DAY, 0, 18165, -18165, 1), (DAY, 18165, 18165, 0, 0)]
    assert newest_differences(database.dsn) == [("1125", "card", DAY, 0)]


async def test_a_restart_reports_nothing_again(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"), *report(line("pi_a")))
        await until(lambda: len(days(database.dsn)) == 1)
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="c"))
        await asyncio.sleep(3)

    assert len(days(database.dsn)) == 1


async def test_each_difference_is_an_open_exception_until_it_is_explained(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"))
        await shard.tell(registered(payment_id="b"), settled(payment_id="b"), found(500, "b"))
        await shard.tell(*report(line("pi_a", 18165, fee_minor=30), line("pi_stranger", 77), line("pi_b")))
        await until(lambda: len(days(database.dsn)) == 1)

    # pi_a differs by the fee, pi_other (the found charge) is in no report, pi_stranger is in no book.
    assert days(database.dsn) == [(DAY, 36830, 36377, 453, 3)]


async def test_days_follow_each_other_and_a_report_read_twice_counts_once(database: Database) -> None:
    first, second = report(line("pi_a")), report(day="2026-02-10", opening_minor=18165)
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"), *first, *first, *second)
        await until(lambda: len(days(database.dsn)) == 2)
        await shard.folded()

    assert days(database.dsn) == [(DAY, 18165, 18165, 0, 0), ("2026-02-10", 18165, 18165, 0, 0)]
    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)
