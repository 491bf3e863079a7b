"""The ledger's shards on two servers: what is asked of all shards is asked of both, and summed."""

from typing import NamedTuple

import psycopg
import pytest

from services.ledger.alarms import BooksAlarm
from services.ledger.domain.proposals import ChangePlan
from services.ledger.journals.reading import Held, held
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.reconciler import Reconciler
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.postgres.placement import Placement
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard, projections_only
from tests.integration.test_ledger_alarms import until_gauge
from tests.integration.test_ledger_reconciliation import days, exceptions, until
from tests.unit.ledger.reports import DAY, line, report
from tests.unit.ledger.story import registered, settled


class Servers(NamedTuple):
    first: Database
    second: Database

    @property
    def placement(self) -> Placement:
        return Placement((self.first.dsn, self.second.dsn))


@pytest.fixture
def servers(service_database: ServiceDatabase) -> Servers:
    return Servers(*(service_database("ledger", SHARDS, placed=[shard]) for shard in range(SHARDS)))


def parts(context: ShardContext) -> tuple[ShardPart, ...]:
    return (
        ProjectionRunner(context, PROJECTIONS),
        Reconciler(context, settle_s=0),
        BooksAlarm(context, every_s=0.1),
    )


async def test_a_day_is_reported_over_both_servers_with_what_differs_between_them(servers: Servers) -> None:
    first, second = servers.first.dsn, servers.second.dsn
    async with (
        held_shard(first, 0, parts, placement=servers.placement) as one,
        held_shard(second, 1, projections_only, placement=servers.placement) as two,
    ):
        await one.tell(registered(payment_id="a"), settled(payment_id="a"))
        await two.tell(registered(1000, "b"), settled(1000, "b"), registered(500, "c"), settled(500, "c"))
        await one.tell(*report(line("pi_a"), line("pi_b", 1000), line("pi_c", 400)))
        await until(lambda: len(days(first)) == 1 and len(exceptions(first)) == 1)
        await until(lambda: len(days(first, "1126")) == 1)
        await one.folded()
        await two.folded()
        await until_gauge("piperoll_unexplained_minor", 100, account="1125")
        with psycopg.connect(servers.second.admin_dsn) as books:
            books.execute("UPDATE balance SET debit_minor = debit_minor + 7 WHERE code = '1125'")
        await until_gauge("piperoll_trial_balance_minor", 7)

    assert days(first)[0][:4] == (DAY, 19_665, 19_565, 100)
    [(account, reference, _, minor, state)] = exceptions(first)
    assert (account, reference, abs(minor), state) == ("1125", "pi_c", 100, "open")


async def test_what_an_account_holds_is_summed_over_both_servers_at_their_ends(servers: Servers) -> None:
    dsns = servers.placement.dsns
    plan = ChangePlan(ledger_account_id="lac_1", change="close", code="1125", sub_key="card", currency="USD")
    async with held_shard(dsns[0], 0) as one, held_shard(dsns[1], 1) as two:
        await one.tell(registered(payment_id="a"), settled(payment_id="a"))
        await two.tell(registered(1000, "b"), settled(1000, "b"))
        await one.folded()
        await two.folded()
    assert held(dsns, [plan], {0: 2, 1: 2}) == Held((19_165,), {"0": 2, "1": 2})
    assert held(dsns, [plan], {0: 2, 1: 3}) is None, "the second server's shard is not folded so far"
