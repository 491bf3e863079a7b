"""I: no gap, nothing twice, nothing acknowledged lost, whoever takes a shard when; on PostgreSQL."""

import asyncio
import itertools
from collections.abc import Sequence

import psycopg
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from shared import faults
from shared.eventlog.ports import EventRow, Store
from shared.eventlog.postgres import PostgresStore
from tests.conftest import Database, ServiceDatabase
from tests.log_machine import LogMachine

EXAMPLES = 12
MOMENT_S = 0.001


class InPostgres:
    """`Subject`: each process has connections of its own."""

    def __init__(self, database: Database, shard: int) -> None:
        self.shard = shard
        self._database = database
        self._opened: list[PostgresStore] = []

    def process(self) -> Store:
        self._opened.append(PostgresStore(self._database.dsn, "billing"))
        return self._opened[-1]

    def lose_commit(self, *, stored: bool) -> None:
        faults.arm(faults.Point.STORE_AFTER_COMMIT if stored else faults.Point.STORE_IN_COMMIT)

    async def read(self) -> tuple[Sequence[EventRow], int]:
        with psycopg.connect(self._database.dsn) as connection:
            found = connection.execute("SELECT epoch FROM shard WHERE shard = %s", (self.shard,)).fetchall()
        reader = PostgresStore(self._database.dsn, "billing")
        rows = await reader.read(self.shard, 0, 1_000)
        await reader.close()
        return rows, found[0][0]

    async def wait(self) -> None:
        await asyncio.sleep(MOMENT_S)

    async def close(self) -> None:
        for store in self._opened:
            await store.close()


def test_any_takeovers_and_lost_answers_leave_one_true_log(service_database: ServiceDatabase) -> None:
    database, numbers = service_database("billing", shards=8 * EXAMPLES), itertools.count()

    class Machine(LogMachine):
        def __init__(self) -> None:
            super().__init__(InPostgres(database, next(numbers)))

    run_state_machine_as_test(Machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=20))
