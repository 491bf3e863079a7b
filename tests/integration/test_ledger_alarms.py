"""What raises the ledger's own alarms."""

import asyncio
from typing import Any

import psycopg

from services.ledger.alarms import BooksAlarm, LimitAlarm
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.reconciler import Reconciler
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.telemetry.metrics import REGISTRY
from tests.conftest import ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.unit.ledger.reports import line, paid_out, report
from tests.unit.ledger.story import allocated, bill, registered, settled


def gauge(name: str, **labels: str) -> Any:
    return REGISTRY.get_sample_value(name, labels)


def parts(context: ShardContext) -> tuple[ShardPart, ...]:
    return (
        ProjectionRunner(context, PROJECTIONS),
        LimitAlarm(context),
        BooksAlarm(context, every_s=0.1),
        Reconciler(context, settle_s=0),
    )


async def until_gauge(name: str, value: float, **labels: str) -> None:
    async with asyncio.timeout(10):
        while gauge(name, **labels) != value:
            await asyncio.sleep(0.05)


async def test_a_trial_balance_off_zero_and_a_broken_limit_show_in_the_metrics(
    service_database: ServiceDatabase,
) -> None:
    database = service_database("ledger", SHARDS)
    broken = gauge("piperoll_limits_broken_total")
    async with held_shard(database.dsn, make_parts=parts) as shard:
        await shard.tell(bill(), registered(100), settled(100), allocated())
        await shard.folded()
        assert gauge("piperoll_limits_broken_total") == broken + 1
        with psycopg.connect(database.admin_dsn) as connection:
            connection.execute("UPDATE balance SET debit_minor = debit_minor + 7 WHERE code = '1125'")
        await until_gauge("piperoll_trial_balance_minor", 7)


async def test_what_is_unexplained_and_payouts_that_are_late_show_in_the_metrics(
    service_database: ServiceDatabase,
) -> None:
    database = service_database("ledger", SHARDS)
    async with held_shard(database.dsn, make_parts=parts) as shard:
        await shard.tell(*report(line("pi_stranger", 1000), paid_out(700)))
        await until_gauge("piperoll_unexplained_minor", 1000, account="1125")
        await until_gauge("piperoll_unexplained_minor", 700, account="1126")
        await until_gauge("piperoll_payouts_late", 1)

    assert gauge("piperoll_unexplained_minor", account="1010") == 0
