"""The ledger's writer on a real store, without a broker: records go in as its inbox would hand them on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from psycopg.conninfo import make_conninfo

from services.ledger.handlers import REGISTRY
from shared.clock import SystemClock
from shared.contracts.topics import BILLING_EVENTS_TOPIC
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import EventRow, Record
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.writer import Writer
from shared.settings import ProcessSettings

SHARD = 0


class Chain:
    """Turns rows of billing into records, each with its place behind the one before."""

    def __init__(self) -> None:
        self._previous, self._hash = 0, b""

    def records(self, rows: Sequence[EventRow]) -> list[Record]:
        """Return the records of rows that follow those of the last call."""
        records = []
        for row in rows:
            records.append(
                Record(
                    topic=BILLING_EVENTS_TOPIC, partition=SHARD, offset=row.position, key=row.stream, value=row.data,
                    source="billing", source_shard=SHARD, position=row.position, previous=self._previous,
                    previous_hash=self._hash, type=row.type,
                )
            )  # fmt: skip
            self._previous, self._hash = row.position, leaf_hash(row.data)
        return records


@asynccontextmanager
async def held_writer(admin: str) -> AsyncIterator[Writer]:
    """Take shard 0 of the ledger's database over and run its writer; `admin` is the superuser's DSN on it."""
    store = PostgresStore(make_conninfo(admin, user="piperoll_ledger"), "ledger")
    zone = ProcessSettings(postgres_dsn="", kafka_bootstrap="").zone
    writer = Writer(REGISTRY, SHARD, store, SystemClock(), zone)
    await writer.take_over()
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await writer.stop()
        await running
        await store.close()
