"""1125 and 1126 against the processor's reports: each day once, again when later facts change it, over all shards."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import psycopg
import pytest

from services.ledger import app
from services.ledger.checks import newest_differences
from services.ledger.domain.reconciled import MOST_CHANGES
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.reconciler import Reconciler
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.packing import unpack
from shared.eventlog.ports import Store
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, MakeParts, held_shard, projections_only
from tests.unit.ledger.facts import debited, opened, sent
from tests.unit.ledger.reports import DAY, line, paid_out, part, report
from tests.unit.ledger.story import found, registered, settled

NEXT = "2026-02-10"
Looks = list[dict[int, int]]


def parts(context: ShardContext) -> Sequence[ShardPart]:
    """Return what folds and reconciles, without waiting for households."""
    return (ProjectionRunner(context, PROJECTIONS), Reconciler(context, settle_s=0))


def watched() -> tuple[MakeParts, Looks]:
    """Return `parts` and what their reconciler will have seen of the logs' ends, look by look."""
    looks: Looks = []

    class Watched:
        def __init__(self, store: Store) -> None:
            self._store = store

        async def ends(self, shards: Sequence[int]) -> dict[int, int]:
            looks.append(await self._store.ends(shards))
            return looks[-1]

    def watching(context: ShardContext) -> Sequence[ShardPart]:
        store: Any = Watched(context.store)
        return (ProjectionRunner(context, PROJECTIONS), Reconciler(replace(context, store=store), settle_s=0))

    return watching, looks


def at_rest(looks: Looks) -> bool:
    """Tell whether a look has ended and the next saw nothing new."""
    return len(looks) > 1 and looks[-1] == looks[-2]


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def told(dsn: str, event_type: str) -> list[dict[str, Any]]:
    """Return the payloads of a type in the log, in order."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT data FROM event WHERE type = %s ORDER BY shard, position", (event_type,)
        ).fetchall()
    return [json.loads(unpack(data))["payload"] for (data,) in rows]


def days(dsn: str, account: str = "1125") -> list[tuple[Any, ...]]:
    """Return (day, book, other side, difference, open exceptions) of each reported day, in order."""
    return [
        (
            one["day"],
            one["book_minor"],
            one["bank_minor"] if account == "1010" else one["processor_minor"],
            one["difference_minor"],
            sum(bucket["count"] for bucket in one["open_exceptions"]),
        )
        for one in told(dsn, "ledger.reconciliation-reported.v1")
        if one["account"] == account
    ]


def exceptions(dsn: str) -> list[tuple[Any, ...]]:
    """Return (account, reference, kind, amount, state) of each change, by reference and in order."""
    changes = told(dsn, "ledger.exception-changed.v1")
    found = [(one["account"], one["references"][0], one["kind"], one["minor"], one["state"]) for one in changes]
    return sorted(found, key=lambda one: one[:2])


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_day_is_reported_over_all_shards_at_named_positions(database: Database) -> None:
    async with (
        held_shard(database.dsn, 0, app.parts) as first,
        held_shard(database.dsn, 1, projections_only) as second,
    ):
        await first.tell(registered(payment_id="a"), settled(payment_id="a"))
        await second.tell(registered(1000, "b"), settled(1000, "b"))
        await first.tell(*report(line("pi_a"), line("pi_b", 1000)))
        await until(lambda: len(days(database.dsn, "1126")) == 1)
        await first.folded()

    assert days(database.dsn) == [(DAY, 19165, 19165, 0, 0)]
    assert days(database.dsn, "1126") == [(DAY, 0, None, 0, 0)]
    assert newest_differences(database.dsn) == [("1125", "card", DAY, 0), ("1126", "card", DAY, 0)]
    with psycopg.connect(database.dsn) as connection:
        row = connection.execute("SELECT positions FROM reconciliation_day WHERE account = '1125'").fetchone()
    assert row == ({"0": 4, "1": 2},)


async def test_a_day_with_fees_refund_chargeback_and_payout_agrees_to_the_cent(database: Database) -> None:
    lines = (
        line("pi_a", 18165, 557),
        line("pi_b", 1000, 59),
        line("pi_a", -1835, kind="refund", source="re_1"),
        line("pi_b", -1000, 1500, kind="adjustment", source="dp_1"),
        paid_out(15000),
    )
    refunded = msgspec.structs.replace(sent(1835, payment_id="a"), processor_ref="pi_a", sent_on=DAY)
    disputed = msgspec.structs.replace(debited(1000, 1500), payment_id="b", processor_ref="pi_b", debited_on=DAY)
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"), opened(1835, payment_id="a"), refunded)
        await shard.tell(registered(1000, "b"), settled(1000, "b"), disputed)
        await shard.tell(*report(*lines))
        await until(lambda: len(days(database.dsn, "1126")) == 1)
        await shard.folded()

    left = sum(one.net_minor for one in lines)
    assert days(database.dsn) == [(DAY, left, left, 0, 0)]
    assert days(database.dsn, "1126") == [(DAY, 15000, None, 0, 0)]
    assert not [one for one in exceptions(database.dsn) if one[0] == "1125"]


async def test_a_fact_that_comes_later_supersedes_the_day_and_resolves_the_exception(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(*report(line("pi_a")))
        await until(lambda: len(exceptions(database.dsn)) == 1)
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"))
        await until(lambda: len(exceptions(database.dsn)) == 2)
        await shard.folded()

    assert days(database.dsn) == [(DAY, 0, 18165, -18165, 1), (DAY, 18165, 18165, 0, 0)]
    assert ("1125", "card", DAY, 0) in newest_differences(database.dsn)
    assert exceptions(database.dsn) == [
        ("1125", "pi_a", "missing", -18165, "open"),
        ("1125", "pi_a", "missing", -18165, "resolved"),
    ]


async def test_a_restart_reports_and_reviews_nothing_again(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"), *report(line("pi_a"), line("pi_b")))
        await until(lambda: len(days(database.dsn, "1126")) == 1 and len(exceptions(database.dsn)) == 1)
    watching, looks = watched()
    async with held_shard(database.dsn, 0, watching) as shard:
        await shard.tell(registered(payment_id="c"))
        looks.clear()
        await until(lambda: at_rest(looks))

    assert len(days(database.dsn)) == 1
    assert len(exceptions(database.dsn)) == 1


async def test_each_difference_is_an_exception_with_a_name(database: Database) -> None:
    again = msgspec.structs.replace(line("pi_c"), transaction_ref="txn_again")
    async with held_shard(database.dsn, 0, parts) as shard:
        for name in "abc":
            await shard.tell(registered(payment_id=name), settled(payment_id=name))
        await shard.tell(found(500, "b"))
        await shard.tell(*report(line("pi_a", 18000), line("pi_b"), line("pi_c"), again, line("pi_stranger", 77)))
        await until(lambda: len(exceptions(database.dsn)) == 4)

    assert exceptions(database.dsn) == [
        ("1125", "pi_a", "wrong_amount", 165, "open"),
        ("1125", "pi_c", "doubled", -18165, "open"),
        ("1125", "pi_other", "unknown", 500, "open"),
        ("1125", "pi_stranger", "missing", -77, "open"),
    ]
    assert days(database.dsn)[-1] == (DAY, 54995, 72572, -17577, 4)
    assert told(database.dsn, "ledger.reconciliation-reported.v1")[0]["unexplained_minor"] == 18907


async def test_days_follow_each_other_and_a_report_read_twice_counts_once(database: Database) -> None:
    first = report(line("pi_a", fee_minor=30), paid_out(700))
    second = report(day=NEXT, opening_minor=18165 - 730)
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"), *first, *first, *second)
        await until(lambda: len(days(database.dsn)) == 2 and len(days(database.dsn, "1126")) == 2)
        await until(lambda: len(exceptions(database.dsn)) == 1)
        await shard.folded()

    assert days(database.dsn) == [(DAY, 17435, 17435, 0, 0), (NEXT, 17435, 17435, 0, 0)]
    assert days(database.dsn, "1126") == [(DAY, 700, None, 0, 0), (NEXT, 700, None, 0, 0)]
    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)


async def test_more_differences_than_one_review_takes_are_all_opened(database: Database) -> None:
    count = MOST_CHANGES + 100
    lines = [line(f"pi_{number:04}", 1) for number in range(count)]
    cuts = [lines[at : at + 100] for at in range(0, count, 100)]
    _, header = report(*lines)
    async with held_shard(database.dsn, 0, parts) as shard:
        for number, cut in enumerate(cuts, start=1):
            await shard.tell(part(*cut, number=number, parts=len(cuts)))
        await shard.tell(header)
        await until(lambda: len(exceptions(database.dsn)) == count)
        await shard.folded()

    assert len({reference for _, reference, *_ in exceptions(database.dsn)}) == count


async def test_a_forged_day_stops_no_projection(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"))
        for forged in (
            msgspec.structs.replace(settled(payment_id="a"), settled_on="2026-99-99"),
            part(day="2026-99-99"),
        ):
            with pytest.raises(ValueError, match="month"):
                await shard.tell(forged)
        await shard.tell(settled(payment_id="a"), *report(line("pi_a")))
        await until(lambda: len(days(database.dsn)) == 1)
        await shard.folded()

    assert days(database.dsn) == [(DAY, 18165, 18165, 0, 0)]
