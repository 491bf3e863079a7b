"""What raises the ledger's own alarms."""

import asyncio
from typing import Any

import psycopg

from services.ledger.alarms import LimitAlarm, TrialBalanceAlarm
from services.ledger.projections import PROJECTIONS
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.telemetry.metrics import REGISTRY
from tests.conftest import ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.unit.ledger.story import allocated, bill, registered, settled


def gauge(name: str) -> Any:
    return REGISTRY.get_sample_value(name)


def parts(context: ShardContext) -> tuple[ShardPart, ...]:
    return (ProjectionRunner(context, PROJECTIONS), LimitAlarm(context), TrialBalanceAlarm(context, every_s=0.1))


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
        async with asyncio.timeout(5):
            while gauge("piperoll_trial_balance_minor") != 7:
                await asyncio.sleep(0.05)
