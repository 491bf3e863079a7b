"""A command on the topic, committed, its result on the topic: the ledger's worker over a real broker, one partition."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.contracts.topics import ALL_TOPICS, BILLING_EVENTS_TOPIC, LEDGER_EVENTS_TOPIC, Topic
from shared.kafka.topics import ensure_topics
from shared.postgres.provision import provision
from tests.bench.courier import Courier, courier
from tests.bench.facts import Facts, new_accounts
from tests.bench.machine import RUNS, percentile, record, say

HOUSEHOLDS = 10_000
ACTIVE_HOUSEHOLDS = 100_000
MEGABYTE = 1024 * 1024
COMMANDS, BARE_COMMANDS = 50_000, 30_000
HALF_LOAD_PER_S = 5_000
HALF_LOAD_S, BARE_LOAD_S = 5, 2
WARM_UP = 10_000
BARE = Topic(name="bench.bare.v1", producer="bench", consumers=("bench",), kind="events")


def run(stack: Stack, build: Path) -> list[dict[str, object]]:
    """Return `kafka.one_partition`, `kafka.half_load.p50` and `.p99`, and `worker.memory`.

    The baseline is the broker alone with the same bytes; that of the memory is the worker that holds nobody yet. The
    stack has PostgreSQL and Kafka only. The worker and this driver are processes of their own.
    """
    provision(stack.admin_dsn, "ledger", 1)
    facts = Facts(new_accounts(HOUSEHOLDS))
    with worker(stack, build):
        records = uvloop.run(_measure(stack.bootstrap, facts))
    with worker(stack, build) as process:
        return [*records, uvloop.run(_memory(stack.bootstrap, facts, process.pid))]


@contextmanager
def worker(stack: Stack, build: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the worker until the end of the block; its log is kept in `build`."""
    uvloop.run(ensure_topics(stack.bootstrap, 1, [*ALL_TOPICS, BARE]))
    env = {
        **os.environ,
        "PIPEROLL_POSTGRES_DSN": make_conninfo(stack.admin_dsn, dbname="piperoll_ledger", user="piperoll_ledger"),
        "PIPEROLL_KAFKA_BOOTSTRAP": stack.bootstrap,
        "PIPEROLL_SHARDS": "1",
    }
    with (build / "bench-worker.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "tests.bench.worker"], env=env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


async def _measure(bootstrap: str, facts: Facts) -> list[dict[str, object]]:
    bare = Facts(new_accounts(HOUSEHOLDS))
    rates: list[float] = []
    bare_rates: list[float] = []
    waits: dict[int, list[float]] = {50: [], 99: []}
    bare_waits: dict[int, list[float]] = {50: [], 99: []}
    async with courier(bootstrap, LEDGER_EVENTS_TOPIC) as ours, courier(bootstrap, BARE.name) as broker:
        await ours.closed_loop(BILLING_EVENTS_TOPIC, facts.sent(facts.openings()))
        await _throughput(ours, BILLING_EVENTS_TOPIC, facts, WARM_UP)
        record_bytes = await _record_bytes(ours, facts)
        for number in range(RUNS):
            rates.append(await _throughput(ours, BILLING_EVENTS_TOPIC, facts, COMMANDS))
            bare_rates.append(await _throughput(broker, BARE.name, bare, BARE_COMMANDS))
            say(f"kafka.one_partition run {number + 1}: {rates[-1]:,.0f}/s, broker alone {bare_rates[-1]:,.0f}/s")
        for number in range(RUNS):
            for courier_, topic, source, seconds, kept in (
                (ours, BILLING_EVENTS_TOPIC, facts, HALF_LOAD_S, waits),
                (broker, BARE.name, bare, BARE_LOAD_S, bare_waits),
            ):
                messages = source.sent(source.allocations(HALF_LOAD_PER_S * seconds))
                found = await courier_.open_loop(topic, messages, HALF_LOAD_PER_S)
                for share, values in kept.items():
                    values.append(percentile(found, share))
            say(f"kafka.half_load run {number + 1}: p50 {waits[50][-1]:.1f} ms, p99 {waits[99][-1]:.1f} ms")
    return [
        record("kafka.record_bytes", "bytes", [record_bytes]),
        record("kafka.one_partition", "commands/s", rates, bare_rates),
        record("kafka.half_load.p50", "ms", waits[50], bare_waits[50], smaller_is_better=True),
        record("kafka.half_load.p99", "ms", waits[99], bare_waits[99], smaller_is_better=True),
    ]


async def _memory(bootstrap: str, facts: Facts, pid: int) -> dict[str, object]:
    """Return `worker.memory`: a worker's resident set once it holds 100,000 households, each with bill and payment."""
    async with courier(bootstrap, LEDGER_EVENTS_TOPIC) as over:
        await _throughput(over, BILLING_EVENTS_TOPIC, facts, 1)
        empty = _resident_bytes(pid)
        facts.join(new_accounts(ACTIVE_HOUSEHOLDS))
        for first in range(0, ACTIVE_HOUSEHOLDS, HOUSEHOLDS):
            await over.closed_loop(BILLING_EVENTS_TOPIC, facts.sent(facts.openings(HOUSEHOLDS)))
            say(f"worker.memory: {_resident_bytes(pid) / MEGABYTE:.0f} MB with {first + HOUSEHOLDS:,} households")
        await _throughput(over, BILLING_EVENTS_TOPIC, facts, ACTIVE_HOUSEHOLDS)
        full = _resident_bytes(pid)
    return record("worker.memory", "MB", [full / MEGABYTE], empty / MEGABYTE, smaller_is_better=True)


async def _throughput(over: Courier, topic: str, facts: Facts, count: int) -> float:
    rows = facts.allocations(count)
    rate, last = await over.closed_loop(topic, facts.sent(rows))
    if topic != BARE.name and f'"cause":"billing.0.{facts.position}"'.encode() not in last.value:
        raise RuntimeError("the last result is not that of the last command")
    return rate


async def _record_bytes(over: Courier, facts: Facts) -> float:
    """Return the bytes of the ledger's record of an entry as the broker keeps it, headers included."""
    _, last = await over.closed_loop(BILLING_EVENTS_TOPIC, facts.sent(facts.allocations(1)))
    return float(DefaultRecordBatchBuilder.estimate_size_in_bytes(last.key, last.value, list(last.headers)))


def _resident_bytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} says nothing of its memory")
