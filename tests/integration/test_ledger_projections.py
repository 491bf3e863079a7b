"""The ledger's projections of its own log, on a real database."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from services.ledger.checks import entries, processor_balance_minor, trial_balance, trial_balance_minor
from services.ledger.projections import PROJECTIONS
from services.ledger.projections.balances import Balances
from shared import faults
from shared.contracts.ledger import LimitBroken
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.projections import CHANNEL, Projection
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from shared.telemetry import metrics
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard, position
from tests.older import older_version
from tests.unit.ledger.facts import passed_on
from tests.unit.ledger.story import ACCOUNT, MONTH, POLICY, allocated, bill, registered, settled

PAID = (bill(), registered(), settled(), allocated())


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


async def test_a_payment_folds_into_balances_and_entries(database: Database) -> None:
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID)
        await shard.folded()

    assert rows(database.dsn, "SELECT code, sub_key, debit_minor - credit_minor FROM balance ORDER BY code") == [
        ("1120", "card", 0),
        ("1125", "card", 18165),
        ("1210", f"{ACCOUNT}/{POLICY}/{MONTH}", 0),
        ("1220", f"{POLICY}/{MONTH}", 62666),
        ("2110", ACCOUNT, 0),
        ("2210", f"{POLICY}/{MONTH}", -62666),
        ("2220", POLICY, -18165),
        ("2310", "pay_3_1", 0),
    ]
    assert rows(database.dsn, "SELECT position, effective_date::text, payment_id FROM entry ORDER BY position") == [
        (1, "2026-02-10", None),
        (2, "2026-02-10", "pay_3_1"),
        (3, "2026-02-09", "pay_3_1"),
        (4, "2026-02-10", "pay_3_1"),
    ]
    assert rows(
        database.dsn,
        "SELECT code, sub_key, sum(debit_minor), sum(credit_minor) FROM ledger_day GROUP BY 1, 2 ORDER BY 1",
    ) == [
        ("1120", "card", 18165, 18165),
        ("1125", "card", 18165, 0),
        ("1210", "", 18165, 18165),
        ("1220", "", 62666, 0),
        ("2110", "", 18165, 18165),
        ("2210", "", 18165, 80831),
        ("2220", "", 0, 18165),
        ("2310", "", 18165, 18165),
    ]
    assert rows(database.dsn, "SELECT code, position, debit_minor, credit_minor FROM house_posting ORDER BY 1, 2") == [
        ("1120", 2, 18165, 0),
        ("1120", 3, 0, 18165),
        ("1125", 3, 18165, 0),
    ]
    assert trial_balance_minor(database.dsn) == 0
    assert ("1125", 18165, 0) in trial_balance(database.dsn)
    assert processor_balance_minor(database.dsn) == 18165
    assert entries(database.dsn) == 4


async def test_a_rebuild_gives_the_rows_of_the_live_projection(database: Database) -> None:
    """I-04."""
    async with held_shard(database.dsn) as shard:
        for number in range(30):
            payment = f"pay_3_{number}"
            await shard.tell(bill(), registered(payment_id=payment), settled(payment_id=payment))
        await shard.folded()

    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)
    assert rows(database.dsn, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'") == []


async def test_rows_do_not_depend_on_how_facts_are_cut(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID, *PAID)
        await shard.folded()
    monkeypatch.setattr("shared.eventlog.rebuild.BATCH", 1)

    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)


async def test_a_changed_row_shows_in_the_digest(database: Database) -> None:
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID)
        await shard.folded()
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute("UPDATE balance SET debit_minor = debit_minor + 1 WHERE code = '1125'")

    rebuilt = rebuild_digest(database.dsn, Balances(), facts_of(database.dsn, "ledger"))
    assert rebuilt != live_digest(database.dsn, Balances())


async def test_a_batch_that_fails_before_its_commit_is_folded_again_once(database: Database) -> None:
    async with held_shard(database.dsn) as shard:
        faults.arm(faults.Point.PROJECTION_BEFORE_COMMIT)
        try:
            await shard.tell(*PAID)
            await shard.folded()
        finally:
            faults.disarm_all()

    assert processor_balance_minor(database.dsn) == 18165


async def test_before_an_event_that_only_a_newer_version_knows_they_stand_still_and_their_lag_shows(
    database: Database,
) -> None:
    lag = metrics.PROJECTION_LAG.labels(Balances.name, "ledger.0")._value
    with older_version(LimitBroken):
        async with held_shard(database.dsn) as shard:
            await shard.tell(bill(), passed_on(), bill(invoice_id="inv_3_2"))
            types = [row.type for row in await shard.context.store.read(0, 0, 100)]
            first = types.index(LimitBroken.TYPE) + 1
            async with asyncio.timeout(20):
                while lag.get() != len(types) - first + 1:
                    await asyncio.sleep(0.02)
            assert position(database.dsn, 0) == first - 1
        lag.set(0)
        async with held_shard(database.dsn) as shard:
            async with asyncio.timeout(20):
                while lag.get() != len(types) - first + 1:
                    await asyncio.sleep(0.02)
            assert position(database.dsn, 0) == first - 1, "also after another takeover, without any commit"
    async with held_shard(database.dsn) as shard:
        await shard.folded()
    assert lag.get() == 0


async def test_two_runners_of_one_shard_fold_nothing_twice(database: Database) -> None:
    def twice(context: ShardContext) -> Sequence[ShardPart]:
        return (ProjectionRunner(context, PROJECTIONS), ProjectionRunner(context, PROJECTIONS))

    async with held_shard(database.dsn, make_parts=twice) as shard:
        for number in range(20):
            payment = f"pay_3_{number}"
            await shard.tell(registered(payment_id=payment), settled(payment_id=payment))
        await shard.folded()

    assert processor_balance_minor(database.dsn) == 20 * 18165


async def test_what_was_committed_without_a_runner_is_folded_by_the_next(database: Database) -> None:
    async with held_shard(database.dsn, make_parts=lambda context: ()) as shard:
        await shard.tell(*PAID)
    async with held_shard(database.dsn) as shard:
        await shard.folded()

    assert entries(database.dsn) == 4


async def test_a_new_version_folds_from_the_beginning_while_others_stay(database: Database) -> None:
    class Seen:
        name = "test.seen"
        version = 2
        tables: Sequence[str] = ()
        positions: list[int] = []  # noqa: RUF012

        def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Any]) -> None:
            self.positions.extend(placed.position for placed in facts)

    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID)
        await shard.folded()
    seen = Seen()
    more: Sequence[Projection] = (*PROJECTIONS, seen)
    async with held_shard(database.dsn, make_parts=lambda context: (ProjectionRunner(context, more),)) as shard:
        await shard.tell(registered(payment_id="pay_3_9"))
        await shard.folded()

    assert seen.positions == [1, 2, 3, 4, 5]
    assert entries(database.dsn) == 5


async def test_one_notice_tells_of_a_batch(database: Database) -> None:
    listener = await psycopg.AsyncConnection.connect(database.dsn, autocommit=True)
    await listener.execute(f"LISTEN {CHANNEL}")
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID)
        await shard.folded()
        last = ""
        async with asyncio.timeout(5):
            async for notice in listener.notifies(timeout=1):
                last = notice.payload
    await listener.close()

    assert last == "ledger.0.4"
