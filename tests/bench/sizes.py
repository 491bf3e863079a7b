"""What an entry costs on disk and in the write-ahead log: the ledger's real path, batches of 1,000, all indexes."""

import psycopg
import uvloop
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.postgres.provision import provision
from tests.bench.facts import Facts, new_accounts
from tests.bench.held import Chain, held_writer
from tests.bench.machine import RUNS, record

ENTRIES = 120_000
HOUSEHOLDS = 10_000
BATCH = 1_000
DATABASE = "piperoll_sizes_bench"


def run(stack: Stack) -> list[dict[str, object]]:
    """Return `store.bytes` and `store.wal_bytes` per entry of four postings, in three thirds of one log.

    The baseline is what a peer that was measured here needs (Blnk, per transfer of two legs).
    """
    provision(stack.admin_dsn, "ledger", 1, database=DATABASE)
    admin = make_conninfo(stack.admin_dsn, dbname=DATABASE)
    sizes, logs = uvloop.run(_measure(admin))
    return [
        record("store.bytes", "bytes/entry", sizes, 2_200, smaller_is_better=True),
        record("store.wal_bytes", "bytes/entry", logs, 3_700, smaller_is_better=True),
    ]


async def _measure(admin: str) -> tuple[list[float], list[float]]:
    facts, chain = Facts(new_accounts(HOUSEHOLDS)), Chain()
    sizes: list[float] = []
    logs: list[float] = []
    part = ENTRIES // RUNS // BATCH * BATCH
    async with held_writer(admin) as writer:
        opening = facts.openings()
        for first in range(0, len(opening), BATCH):
            await writer.submit_batch(chain.records(opening[first : first + BATCH]))
        for _ in range(RUNS):
            before, position = _place(admin), writer.position
            for _ in range(0, part, BATCH):
                await writer.submit_batch(chain.records(facts.allocations(BATCH)))
            after, entries = _place(admin), writer.position - position
            sizes.append((after[0] - before[0]) / entries)
            logs.append((after[1] - before[1]) / entries)
    return sizes, logs


def _place(admin: str) -> tuple[int, int]:
    """Return the bytes of the shard's events with their indexes, and of the write-ahead log so far."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute(
            "SELECT pg_total_relation_size('event_0'), pg_current_wal_lsn() - '0/0'::pg_lsn"
        ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])
