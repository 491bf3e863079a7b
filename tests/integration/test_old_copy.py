"""F: with Kafka away, a log starts only on the PostgreSQL timeline on which it was last found whole."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from shared.eventlog.old_copy import old_copies
from shared.eventlog.postgres import PostgresStore
from shared.kafka.tails import KafkaTails
from shared.kafka.topics import ensure_topics
from tests.conftest import Database, Infra, ServiceDatabase

SHARDS = 8
AWAY = KafkaTails("127.0.0.1:1")


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("notifier", shards=SHARDS)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(database.dsn, "notifier")
    yield made
    await made.close()


async def test_a_log_on_another_timeline_waits_for_kafka_and_starts_when_kafka_has_nothing_more(
    stack_infra: Infra, database: Database, store: PostgresStore
) -> None:
    await ensure_topics(stack_infra.bootstrap, SHARDS)
    there = KafkaTails(stack_infra.bootstrap)
    shards = range(SHARDS)
    assert await old_copies("notifier", shards, store, AWAY) == {}
    assert await old_copies("notifier", shards, store, there) == {}
    assert await old_copies("notifier", shards, store, AWAY) == {}
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute("UPDATE timeline SET timeline = timeline + 1 WHERE shard = 3")
        admin.execute("UPDATE timeline SET system_identifier = 1 WHERE shard = 5")
    refused = await old_copies("notifier", shards, store, AWAY)
    assert list(refused) == [3, 5]
    assert "Kafka is away, and notifier shard 3 was last whole on timeline" in str(refused[3])
    assert await old_copies("notifier", shards, store, there) == {}
    assert await old_copies("notifier", shards, store, AWAY) == {}
