"""Workers of two versions, one after the other, over a real broker: nothing is guessed, lost or doubled."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import psycopg
import pytest

from deploy.local.stack import Stack
from services.ledger.handlers import REGISTRY
from shared.clock import rfc3339
from shared.contracts.billing import InvoiceIssued
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted
from shared.eventlog.outgoing import Chains, outgoing
from shared.eventlog.ports import EventRow
from shared.ids import event_id, root_of_record
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics
from shared.settings import ProcessSettings
from shared.worker import Worker
from tests.conftest import Database, ServiceDatabase
from tests.older import older_version
from tests.unit.ledger.story import ACCOUNT, bill, found
from tests.unit.shared.test_writer import START, SYSTEM

SHARDS = 2
SHARD = 1
OTHER = ACCOUNT.replace("acc_0", "acc_1")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of our own: its topics have as many partitions as our database has shards."""
    ours = {"PIPEROLL_KAFKA_BOOTSTRAP": ""}
    with Stack(tmp_path_factory.mktemp("kafka"), only=("kafka",), env=ours) as stack:
        yield stack


class Billing:
    """One shard's log of billing, published as its relay would."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self._publisher = publisher
        self._chains: Chains = {}
        self._position = 0

    async def tell(self, *facts: Event) -> None:
        rows = [self._row(fact) for fact in facts]
        messages, self._chains = outgoing("billing", SHARD, SHARDS, rows, self._chains)
        await self._publisher.publish(messages)

    def _row(self, fact: Event) -> EventRow:
        self._position += 1
        identity = event_id(root_of_record("gateway", SHARD, self._position), 0)
        stream = str(getattr(fact, "account_id", ""))
        data = seal(
            Envelope(
                tenant="demo", event_id=identity.hex(), type=fact.TYPE, stream=stream, version=self._position,
                recorded_at=rfc3339(START), effective_date="2026-02-10", actor=SYSTEM, correlation="c",
                causation=None, payload=encode_event(fact),
            )
        )  # fmt: skip
        return EventRow(SHARD, self._position, stream, self._position, identity, fact.TYPE, data)


@asynccontextmanager
async def worker(kafka: Stack, database: Database) -> AsyncIterator[Worker]:
    """Run a worker of the ledger; at the end it is drained."""
    settings = ProcessSettings(
        postgres_dsn=database.dsn, kafka_bootstrap=kafka.bootstrap, shards=SHARDS, instance="one", profile="local"
    )
    one = Worker(REGISTRY, settings, lambda context: ())
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
        assert not one.failed.done()


def parked(database: Database) -> list[tuple[int, str]]:
    with psycopg.connect(database.dsn) as connection:
        return connection.execute(
            "SELECT position, cause FROM parked WHERE released_at IS NULL ORDER BY arrival"
        ).fetchall()


async def entries(worker: Worker) -> list[tuple[str, str]]:
    """Return household and cause of each entry, in the order of the log."""
    rows = await worker._store.read(SHARD, 0, 100)
    events = [(row.stream, open_fact(row.data).event) for row in rows]
    return [(stream, event.cause) for stream, event in events if isinstance(event, EntryPosted)]


async def until_entries(worker: Worker, count: int) -> list[tuple[str, str]]:
    async with asyncio.timeout(30):
        while len(found := await entries(worker)) < count:
            await asyncio.sleep(0.05)
    return found


async def test_what_an_older_worker_cannot_read_holds_its_household_and_is_decided_once_by_the_next(
    kafka: Stack, service_database: ServiceDatabase
) -> None:
    database = service_database("ledger", SHARDS)
    await ensure_topics(kafka.bootstrap, SHARDS)
    publisher = KafkaPublisher(kafka.bootstrap, "billing")
    billing = Billing(publisher)
    other_charge = msgspec.structs.replace(found(payment_id="pay_1_2"), account_id=OTHER)
    await billing.tell(bill(), found(), other_charge)
    with older_version(InvoiceIssued):
        async with worker(kafka, database) as older:
            others = await until_entries(older, 1)
            assert {stream for stream, _ in others} == {OTHER}
            assert parked(database) == [(1, "unknown_type"), (2, "behind_parked")]
    async with worker(kafka, database) as newer:
        async with asyncio.timeout(30):
            while parked(database):
                await asyncio.sleep(0.05)
        await billing.tell(bill(invoice_id="inv_3_2"))
        stored = await until_entries(newer, len(others) + 3)
        assert [cause for stream, cause in stored if stream == ACCOUNT] == [
            f"billing.{SHARD}.1",
            f"billing.{SHARD}.2",
            f"billing.{SHARD}.4",
        ]
    await publisher.stop()
