"""The gateway's projections rebuilt from the topics' first records, beside the live ones, up to the cursors."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from deploy.local.stack import Stack
from services.gateway.http.database import SQL
from services.gateway.inbox import ShardInbox
from services.gateway.projections import PROJECTIONS
from services.gateway.projections.balances import Balances
from services.gateway.projections.fold import Folder
from services.gateway.projections.group import FoldGroup
from services.gateway.projections.history import History
from services.gateway.projections.payments import Payments
from services.gateway.projections.renewal import _begin_first
from services.gateway.projections.topics import Topics
from services.gateway.projections.versions import Superseded, due
from shared.clock import SystemClock
from shared.contracts.topics import BY_NAME
from shared.eventlog.origin import Chain
from shared.eventlog.ports import Order, Outgoing, Record
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.projections import Placed, Projection
from shared.eventlog.rebuild import compare
from shared.eventlog.rebuild_process import Rebuilds
from shared.eventlog.swap import rebuild
from shared.kafka.chain import BrokenTopic
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics
from tests.conftest import Database, ServiceDatabase
from tests.integration.test_gateway_projections import CHAINS, TOPICS

SHARD, SHARDS = 3, 8


class Marked(Balances):
    """A later version whose rows can be told from those of the first."""

    version = 2

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        super().apply(cursor, facts)
        cursor.execute("UPDATE balance_view SET currency = 'EUR'")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of our own: the topics have their real names."""
    with Stack(tmp_path_factory.mktemp("kafka"), only=("kafka",)) as stack:
        yield stack.bootstrap


@pytest.fixture(scope="module")
async def published(kafka: str) -> AsyncIterator[str]:
    """The broker with all chains on it, every record twice, as relays repeat after a crash."""
    await ensure_topics(kafka, SHARDS, [BY_NAME[topic] for topic in TOPICS.values()])
    publisher = KafkaPublisher(kafka, "test")
    for records in CHAINS.values():
        await publisher.publish([outgoing(record) for record in (*records[:3], *records)])
    yield kafka
    await publisher.stop()


def outgoing(record: Record) -> Outgoing:
    headers = {
        "ce_type": record.type, "source": record.source, "shard": record.source_shard, "position": record.position,
        "previous": record.previous, "previous_hash": record.previous_hash.hex(),
    }  # fmt: skip
    return Outgoing(
        topic=record.topic, partition=record.partition, key=record.key.encode(), value=record.value,
        headers=[(name, str(value).encode()) for name, value in headers.items()],
    )  # fmt: skip


class Gateway:
    """A worker's inbox of one shard over a database of its own."""

    def __init__(self, database: Database, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self.dsn = database.dsn
        self.store = PostgresStore(database.dsn, "gateway")
        self.folder = Folder(database.dsn, projections)
        self.folder.open()
        self.inbox = ShardInbox(SHARD, self.store, FoldGroup(self.folder), SystemClock())

    async def take(self, upto: int = 1_000, since: int = 0) -> None:
        for records in CHAINS.values():
            await self.inbox.take(records[since:upto])

    async def close(self) -> None:
        self.folder.close()
        await self.store.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query.encode()).fetchall()

    def places(self) -> dict[str, int]:
        """Return what answers say of how far they are."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(SQL["places"], {"shards": [SHARD]}).fetchall()
        return {topic: position for topic, _, position in rows}


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", SHARDS)


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    made = Gateway(database)
    yield made
    await made.close()


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_each_is_rebuilt_up_to_the_cursors_and_moves_on_with_them(
    gateway: Gateway, published: str, projection: Projection
) -> None:
    await gateway.take(upto=7)
    topics = Topics(gateway.dsn, published)
    reached = await asyncio.to_thread(rebuild, gateway.dsn, projection, topics)
    assert reached == {(source, SHARD): min(7, len(records)) for source, records in CHAINS.items()}
    await gateway.take(since=7)

    found = await asyncio.to_thread(compare, gateway.dsn, projection, topics)
    assert found.live == found.folded
    assert found.positions == {(source, SHARD): len(records) for source, records in CHAINS.items()}


async def test_what_reads_by_a_view_sees_the_new_rows(gateway: Gateway, published: str) -> None:
    await gateway.take()
    before = gateway.rows("SELECT * FROM payment_money ORDER BY payment_id")
    await asyncio.to_thread(rebuild, gateway.dsn, Payments(), Topics(gateway.dsn, published))

    assert gateway.rows("SELECT * FROM payment_money ORDER BY payment_id") == before != []


async def test_a_parked_record_is_left_out_until_it_is_released_though_that_is_while_it_is_rebuilt(
    gateway: Gateway, published: str, database: Database
) -> None:
    ledger = CHAINS["ledger"]
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "ALTER TABLE history_view ADD CONSTRAINT no_entry CHECK (type <> 'ledger.entry-posted.v1') NOT VALID"
        )
        await gateway.inbox.take(ledger)
        admin.execute("ALTER TABLE history_view DROP CONSTRAINT no_entry")
        parked = [row[0] for row in admin.execute("SELECT position FROM parked ORDER BY position").fetchall()]
    assert parked[0] == 1
    found = await asyncio.to_thread(compare, gateway.dsn, History(), Topics(gateway.dsn, published))
    assert found.live == found.folded

    loop = asyncio.get_running_loop()

    class Releasing(Topics):
        """Has the parked record released when all has been read, just before the swap."""

        released = False

        def facts(self, chain: Chain, after: int, until: int) -> Generator[Sequence[Placed], None, None]:
            yield from super().facts(chain, after, until)
            if self._left_out.get(chain) and not Releasing.released:
                Releasing.released = True
                order = Order(1, TOPICS["ledger"], SHARD, 1, "released")
                asyncio.run_coroutine_threadsafe(gateway.inbox.obey([order]), loop).result(10)

    with_release = Releasing(gateway.dsn, published)
    await asyncio.to_thread(rebuild, gateway.dsn, History(), with_release)
    assert Releasing.released
    assert gateway.rows("SELECT count(*) FROM history_view WHERE source = 'ledger'")[0][0] > 0
    after = await asyncio.to_thread(compare, gateway.dsn, History(), Topics(gateway.dsn, published))
    assert after.live == after.folded


async def test_a_topic_that_lost_its_first_records_is_no_ground_for_a_rebuild_until_they_are_refilled(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Stack(tmp_path_factory.mktemp("lost"), only=("kafka",)) as stack:
        await ensure_topics(stack.bootstrap, SHARDS, [BY_NAME[topic] for topic in TOPICS.values()])
        publisher = KafkaPublisher(stack.bootstrap, "test")
        await publisher.publish([outgoing(record) for record in CHAINS["ledger"][1:]])
        await gateway.inbox.take(CHAINS["ledger"])
        before = gateway.rows("SELECT * FROM balance_view ORDER BY 1, 2")
        with pytest.raises(BrokenTopic, match="gap"):
            await asyncio.to_thread(rebuild, gateway.dsn, Balances(), Topics(gateway.dsn, stack.bootstrap))
        assert gateway.rows("SELECT * FROM balance_view ORDER BY 1, 2") == before != []

        await publisher.publish([outgoing(record) for record in CHAINS["ledger"]])
        await asyncio.to_thread(rebuild, gateway.dsn, Balances(), Topics(gateway.dsn, stack.bootstrap))
        await publisher.stop()
    assert gateway.rows("SELECT * FROM balance_view ORDER BY 1, 2") == before


async def test_a_new_version_waits_for_its_rebuild_while_the_others_fold_and_reads_say_where_it_stands(
    gateway: Gateway, published: str, database: Database
) -> None:
    """What is shown of it goes on, from the older version; positions do not run ahead of it."""
    await gateway.take(upto=3)
    newer = Gateway(database, [one for one in PROJECTIONS if one.name != Balances.name] + [Marked()])
    await newer.take(since=3)
    with psycopg.connect(gateway.dsn) as connection, connection.cursor() as cursor:
        assert [one.name for one in due(cursor, [Marked(), History()])] == [Balances.name]
    assert set(gateway.places().values()) <= {2, 3}
    assert gateway.rows("SELECT count(*) FROM balance_view WHERE currency = 'EUR'") == [(0,)]

    await asyncio.to_thread(rebuild, gateway.dsn, Marked(), Topics(gateway.dsn, published))
    assert gateway.places() == {TOPICS[source]: len(records) for source, records in CHAINS.items()}
    assert gateway.rows("SELECT count(*) FROM balance_view WHERE currency = 'USD'") == [(0,)]
    await newer.close()


async def test_an_older_worker_moves_no_cursor_past_what_it_cannot_fold(
    gateway: Gateway, published: str, database: Database
) -> None:
    await gateway.take(upto=3)
    newer = Gateway(database, [Marked()])
    await newer.take(upto=3)
    await asyncio.to_thread(rebuild, gateway.dsn, Marked(), Topics(gateway.dsn, published))
    before = gateway.rows("SELECT * FROM cursor")

    with pytest.raises(Superseded):
        await gateway.take(since=3)
    assert gateway.rows("SELECT * FROM cursor") == before
    await newer.close()


async def test_a_deployment_has_what_it_changed_made_anew(gateway: Gateway, published: str, database: Database) -> None:
    """A process of its own; here the first version counts as the changed one, the tables' as an older still."""
    await gateway.take()
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("UPDATE projection_version SET version = 0 WHERE name = 'gateway.balances'")
        admin.execute("UPDATE balance_view SET debit_minor = 7")
    rebuilds = Rebuilds()
    async with asyncio.timeout(60):
        while gateway.rows("SELECT version FROM projection_version WHERE name = 'gateway.balances'") != [(1,)]:
            await asyncio.to_thread(_begin_first, rebuilds, gateway.dsn, published)
            await asyncio.sleep(0.2)
    found = await asyncio.to_thread(compare, gateway.dsn, Balances(), Topics(gateway.dsn, published))
    assert found.live == found.folded
