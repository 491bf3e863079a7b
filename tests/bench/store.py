"""What the log costs: events/s through the library's EventStore, and the whole append beside a bare COPY.

`python -m tests.bench.store` prints the records; `run` returns them. Every figure is the median of three runs, ours and
the baseline in turn on one server, so that the ratio means something on a machine with other work.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from eventsourcing.application import Application
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.local.stack import Stack
from shared.eventlog.append_rows import copy_buffer
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, EventRow, Held, Mode
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.recorder_mapper import stored_as
from shared.ids import event_id, root_of_record
from shared.postgres.provision import provision
from tests.bench.machine import say

RUNS, TURNS = 3, 2
ENVELOPE_BYTES = 771
# Events per call of `put` and events per turn.
SIZES = {1: 500, 10: 3_000, 100: 10_000, 1_000: 24_000}
REFERENCE = "invoice 2026-000123 / order 55-12345 / customer reference text " + "x" * 60


@stored_as("bench.credited.v1")
class Credited(msgspec.Struct, frozen=True, gc=False):
    originator_id: UUID
    originator_version: int
    amount_minor: int
    transfer_id: UUID
    reference: str


class Bench(Application[UUID]):
    """A plain application; only its event store is used."""


def run(quick: bool = False) -> list[dict[str, object]]:
    """Return the records `store.put_1`, `_10`, `_100`, `_1000` and `store.copy_ratio`; `quick` does a tenth."""
    with _server() as admin_dsn:
        provision(admin_dsn, "bench", 1, mode="library")
        provision(admin_dsn, "benchlog", 2, mode="owned")
        share = 10 if quick else 1
        records = [_put_record(admin_dsn, size, max(events // share, size)) for size, events in SIZES.items()]
        records.append(
            asyncio.run(_copy_record(make_conninfo(admin_dsn, dbname="piperoll_benchlog"), 12 // min(share, 4)))
        )
    return records


def _put_record(admin_dsn: str, size: int, events: int) -> dict[str, object]:
    ours_env = {
        "PERSISTENCE_MODULE": "shared.eventlog.recorder",
        "POSTGRES_DSN": make_conninfo(admin_dsn, dbname="piperoll_bench", user="piperoll_bench"),
    }
    our_load, library_load = Load(), Load()
    with Bench(ours_env) as ours, Bench(_library_env(admin_dsn)) as library:
        return _in_turn(
            f"store.put_{size}",
            lambda: _put_rate(ours, our_load, size, events, ids=True),
            lambda: _put_rate(library, library_load, size, events, ids=False),
        )


def _library_env(admin_dsn: str) -> dict[str, str]:
    """Return the library's own recorder with our mapper, so that the recorders are compared and nothing else."""
    given = conninfo_to_dict(admin_dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(given.get("dbname") or "postgres"),
        "POSTGRES_HOST": str(given.get("host") or ""),
        "POSTGRES_PORT": str(given.get("port") or "5432"),
        "POSTGRES_USER": str(given.get("user") or "postgres"),
        "POSTGRES_PASSWORD": str(given.get("password") or ""),
        "MAPPER_TOPIC": "shared.eventlog.recorder_mapper:LogMapper",
    }


class Load:
    """Events of 10,000 accounts in turn, with ids as relayed records have them: they grow at one end."""

    def __init__(self) -> None:
        self.accounts = [uuid4() for _ in range(10_000)]
        self.made = 0
        self.first = time.time_ns()  # a server that is benched again has other ids already

    def take(self, count: int) -> list[Any]:
        """Return the next `count` events."""
        numbers = range(self.made, self.made + count)
        self.made += count
        return [Credited(self.accounts[n % 10_000], n // 10_000 + 1, 1250, uuid4(), REFERENCE) for n in numbers]

    def ids(self, count: int) -> list[bytes]:
        """Return the ids of the last `count` events."""
        return [event_id(root_of_record("billing", 0, self.first + n), 0) for n in range(self.made - count, self.made)]


def _put_rate(app: Application[UUID], load: Load, size: int, events: int, *, ids: bool) -> float:
    calls: list[tuple[list[Any], dict[str, Any]]] = []
    for _ in range(0, events, size):
        made = load.take(size)
        calls.append((made, {"event_ids": load.ids(size)} if ids else {}))
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    for call, more in calls:
        app.events.put(call, **more)
    rate = events / (time.perf_counter() - began)
    gc.unfreeze()
    return rate


async def _copy_record(admin_dsn: str, batches: int) -> dict[str, object]:
    """Compare `PostgresStore.append` (leaves, head, buffer, fence, COPY, COMMIT) with COPY of ready buffers."""
    store = PostgresStore(make_conninfo(admin_dsn, user="piperoll_benchlog"), "benchlog")
    ratios: list[float] = []
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for number in range(RUNS):
            gc.collect()
            turns = [(await _append_rate(store, batches), _copy_rate(connection, batches)) for _ in range(TURNS)]
            ours = statistics.harmonic_mean([one for one, _ in turns])
            bare = statistics.harmonic_mean([other for _, other in turns])
            ratios.append(ours / bare)
            say(f"store.copy_ratio run {number + 1}: {ours:,.0f} events/s, bare COPY {bare:,.0f}")
    await store.close()
    return _record("store.copy_ratio", "of bare COPY", ratios, [1.0])


async def _append_rate(store: PostgresStore, batches: int) -> float:
    held = await store.take_over(0)
    rows = [_rows(0, held.next_position + number * 1000) for number in range(batches)]
    head, began = held.head, time.perf_counter()
    for part in rows:
        head = extend(head, part[0].position - 1, [leaf_hash(row.data) for row in part])
        await store.append(_batch(held, part, head))
    return batches * 1000 / (time.perf_counter() - began)


def _batch(held: Held, rows: Sequence[EventRow], head: bytes) -> Batch:
    return Batch(
        shard=held.shard,
        mode=Mode.OWNED,
        epoch=held.epoch,
        held_position=rows[0].position,
        head=head,
        recorded_at=held.database_now,
        rows=rows,
    )


def _copy_rate(connection: psycopg.Connection[Any], batches: int) -> float:
    found = connection.execute("SELECT coalesce(max(position), 0) FROM event_1").fetchone()
    first = found[0] + 1 if found else 1
    buffers = [copy_buffer(_rows(1, first + number * 1000)) for number in range(batches)]
    began = time.perf_counter()
    for buffer in buffers:
        with connection.cursor().copy("COPY event_1 FROM STDIN (FORMAT binary)") as copy:
            copy.write(buffer)
    return batches * 1000 / (time.perf_counter() - began)


def _rows(shard: int, first: int) -> list[EventRow]:
    """Return 1,000 events of a usual size, ids growing at one end as those of relayed records do."""
    return [
        EventRow(
            shard,
            position,
            f"acc_{position % 5000:026d}",
            position // 5000 + 1,
            b"\x01\x02" + position.to_bytes(12, "big") + b"\0\0",
            "ledger.entry-posted.v1",
            os.urandom(ENVELOPE_BYTES // 2).hex().encode(),
        )
        for position in range(first, first + 1000)
    ]


def _in_turn(name: str, ours: Callable[[], float], baseline: Callable[[], float]) -> dict[str, object]:
    """Measure both in short turns, so that other work on the machine falls on both alike."""
    values: list[float] = []
    baselines: list[float] = []
    for number in range(RUNS):
        turns = [(ours(), baseline()) for _ in range(TURNS)]
        values.append(statistics.harmonic_mean([one for one, _ in turns]))
        baselines.append(statistics.harmonic_mean([other for _, other in turns]))
        say(f"{name} run {number + 1}: {values[-1]:,.0f} events/s, baseline {baselines[-1]:,.0f}")
    return _record(name, "events/s", values, baselines)


def _record(name: str, unit: str, values: Sequence[float], baselines: Sequence[float]) -> dict[str, object]:
    """Return medians; the ratio is that of each run with its own baseline, because a machine's speed drifts."""
    baselines = baselines if len(baselines) == len(values) else [baselines[0]] * len(values)
    return {
        "name": name,
        "value": round(statistics.median(values), 3),
        "unit": unit,
        "baseline": round(statistics.median(baselines), 1),
        "ratio": round(statistics.median(one / other for one, other in zip(values, baselines, strict=True)), 3),
        "runs": [round(one, 3) for one in values],
    }


@contextmanager
def _server() -> Iterator[str]:
    dsn = os.environ.get("PIPEROLL_POSTGRES_DSN")
    if dsn:
        yield dsn
        return
    with (
        tempfile.TemporaryDirectory(prefix="piperoll-bench-") as folder,
        Stack(Path(folder) / "state", only=("postgres",)) as stack,
    ):
        yield stack.admin_dsn


if __name__ == "__main__":
    print(json.dumps(run(quick="--quick" in sys.argv), indent=2))
