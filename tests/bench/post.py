"""Entries per second through the ledger's handlers and writer into PostgreSQL: keyed commands, each with a fresh key.

Every command becomes one entry with its key's look-up, limits, Merkle leaf, fence and durable commit. Commands are made
before the clock starts; from batches of 100 up, the next batch waits while one is committed, as it does behind a topic.
`python -m tests.bench.post` prints the records.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from zoneinfo import ZoneInfo

import psycopg
import uvloop
from psycopg.conninfo import make_conninfo

from services.ledger.handlers import REGISTRY
from shared.clock import SystemClock
from shared.contracts.billing import CheckPosted, InvoiceIssued
from shared.contracts.event import Actor, Event, PremiumLine
from shared.eventlog.append_rows import copy_buffer
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.writer import Writer
from shared.ids import account_id, digest_of, root_of_key
from shared.postgres.provision import provision
from shared.telemetry.collector import settle
from tests.bench.entries import accounts_of, entry_rows, filled_store
from tests.bench.machine import RUNS, CpuMeter, percentile, record, row_locked_transfers, say

HOUSEHOLDS, FEW = 10_000, 16
BATCHES = {1: 1_500, 100: 25_000, 1_000: 60_000, 8_000: 96_000}
CALLERS = (1, 16, 64, 256)
CALLERS_S = 2.0
SHARDS = 2
DATABASE = "piperoll_postbench"
_ACTOR = Actor("staff", "usr_8q24v8n1k7m2x9c3z6b5t0a")
_numbers = count(time.time_ns() // 1_000)
"""A server that is benched again has other keys already."""


def run(admin_dsn: str) -> list[dict[str, object]]:
    """Return the records `post.batch_*`, `.cpu_us`, `.callers_*`, `.hot_ratio` and `.two_shards`."""
    with _database(admin_dsn) as dsn:
        records = uvloop.run(_one_shard(admin_dsn, dsn))
    with _database(admin_dsn) as dsn:
        return [*records, *uvloop.run(_two_shards(dsn))]


def run_long(admin_dsn: str, events: int = 10_000_000) -> list[dict[str, object]]:
    """Return `post.growth_ratio`: batches of 1,000 on a store of so many events beside those on an empty one."""
    with _database(admin_dsn) as dsn:
        filled_store(make_conninfo(admin_dsn, dbname=DATABASE), events, accounts_of(HOUSEHOLDS))
        return uvloop.run(_growth(dsn))


def bills(commands: int) -> list[Submitted]:
    """Return bills of one line with both subsidies, an entry of four postings each, of all households in turn."""
    return [_keyed(_bill(next(_numbers), number)) for number in range(commands)]


def cheques(commands: int, households: int, bank_accounts: int) -> list[Submitted]:
    """Return cheques, an entry of two postings each, on so many bank accounts and of so many households."""
    return [_keyed(_cheque(next(_numbers), number % households, number % bank_accounts)) for number in range(commands)]


def _account(household: int) -> str:
    return account_id(root_of_key("demo", "bench", "account", None, str(household)))


_ACCOUNTS = [_account(number) for number in range(HOUSEHOLDS)]


def _bill(number: int, turn: int) -> InvoiceIssued:
    household, month = turn % HOUSEHOLDS, number % 240
    line = PremiumLine(
        policy_id=f"POL-{household:06d}", coverage_month=f"{2020 + month // 12}-{month % 12 + 1:02d}",
        gross_minor=80_831, aptc_minor=50_000, state_subsidy_minor=12_666,
    )  # fmt: skip
    return InvoiceIssued(
        account_id=_ACCOUNTS[household], invoice_id=f"inv_0_{number:x}", number=f"{number:x}", due_date="2027-01-31",
        currency="USD", lines=(line,), total_minor=line.member_minor,
    )  # fmt: skip


def _cheque(number: int, household: int, bank_account: int) -> CheckPosted:
    return CheckPosted(
        account_id=_ACCOUNTS[household], payment_id=f"pay_0_{number:x}", reference=f"{number:x}", invoice_id=None,
        bank_account=f"trust-{bank_account}", bank_reference=f"LB{number}", amount_minor=18_165, currency="USD",
        received_on="2026-11-02",
    )  # fmt: skip


def _keyed(command: Event) -> Submitted:
    key = str(next(_numbers))
    root = root_of_key("demo", _ACTOR.id, "bench", None, key)
    return Submitted(
        command=command, tenant="demo", root=root, actor=_ACTOR, correlation=root.hex(),
        digest=digest_of("bench", key.encode()),
    )  # fmt: skip


class _database:
    """A database of its own with an empty log; `with` gives the service's connection string."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn

    def __enter__(self) -> str:
        self._drop()
        provision(self._admin_dsn, "ledger", SHARDS, database=DATABASE)
        return make_conninfo(self._admin_dsn, dbname=DATABASE, user="piperoll_ledger")

    def __exit__(self, *_: object) -> None:
        self._drop()

    def _drop(self) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())


@asynccontextmanager
async def _writing(dsn: str, shard: int = 0) -> AsyncIterator[Writer]:
    store = PostgresStore(dsn, "ledger")
    writer = Writer(REGISTRY, shard, store, SystemClock(), ZoneInfo("America/New_York"))
    await writer.take_over()
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await writer.stop()
        await running
        await store.close()


async def _one_shard(admin_dsn: str, dsn: str) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    async with _writing(dsn) as writer:
        await _batches(writer, bills(HOUSEHOLDS), 1_000)  # every household's state is in memory from here on
        for size, commands in BATCHES.items():
            records += await _batch_records(admin_dsn, writer, size, commands)
        for callers in CALLERS:
            records.append(await _callers_record(admin_dsn, writer, callers))
        records.append(await _hot_record(writer))
    return records


async def _batch_records(admin_dsn: str, writer: Writer, size: int, commands: int) -> list[dict[str, object]]:
    rates, beside, costs = [], [], []
    for number in range(RUNS):
        work = bills(commands)
        settle()
        meter = CpuMeter(admin_dsn)
        rates.append(await _batches(writer, work, size))
        costs.append(meter.seconds() / commands * 1e6)
        baseline = (
            (await row_locked_transfers(admin_dsn, 1, 1.0))[0] if size == 1 else _copied(admin_dsn, commands, size)
        )
        beside.append(baseline)
        say(f"post.batch_{size} run {number + 1}: {rates[-1]:,.0f}/s, {costs[-1]:.1f} us, baseline {baseline:,.0f}/s")
    records = [record(f"post.batch_{size}", "entries/s", rates, beside)]
    if size == 1_000:
        records.append(record("post.cpu_us", "us/entry", costs, smaller_is_better=True))
    return records


async def _batches(writer: Writer, commands: Sequence[Submitted], size: int) -> float:
    """Return commands per second, `size` of them in a batch."""
    batches = iter([commands[first : first + size] for first in range(0, len(commands), size)])
    began = time.perf_counter()

    async def caller() -> None:
        for batch in batches:
            _all_decided(await writer.submit_all(batch))

    await asyncio.gather(*(caller() for _ in range(1 if size == 1 else 2)))
    return len(commands) / (time.perf_counter() - began)


def _all_decided(answers: Sequence[Answer | Exception]) -> None:
    for answer in answers:
        if isinstance(answer, Exception) or answer.replayed or not answer.rows:
            raise RuntimeError(f"a command was not decided: {answer!r}")


def _copied(admin_dsn: str, entries: int, size: int) -> float:
    """Return entries per second by COPY of ready buffers into the other shard's partition, `size` to a commit."""
    with psycopg.connect(make_conninfo(admin_dsn, dbname=DATABASE), autocommit=True) as connection:
        connection.execute("ALTER TABLE event_1 DISABLE TRIGGER USER; TRUNCATE event_1")
        accounts = accounts_of(HOUSEHOLDS)
        buffers = [copy_buffer(entry_rows(first, size, accounts, 1)) for first in range(1, entries, size)]
        began = time.perf_counter()
        for buffer in buffers:
            with connection.cursor().copy("COPY event_1 FROM STDIN (FORMAT binary)") as copy:
                copy.write(buffer)
        return len(buffers) * size / (time.perf_counter() - began)


async def _callers_record(admin_dsn: str, writer: Writer, callers: int) -> dict[str, object]:
    rates, beside = [], []
    for number in range(RUNS):
        work = iter(bills(int(30_000 * CALLERS_S) if callers > 1 else int(4_000 * CALLERS_S)))
        settle()
        waits: list[float] = []
        deadline = time.perf_counter() + CALLERS_S
        began = time.perf_counter()

        async def caller(work: Iterator[Submitted] = work, waits: list[float] = waits, until: float = deadline) -> None:
            while (asked := time.perf_counter()) < until:
                _all_decided([await writer.submit(next(work))])
                waits.append(time.perf_counter() - asked)

        await asyncio.gather(*(caller() for _ in range(callers)))
        rates.append(len(waits) / (time.perf_counter() - began))
        beside.append((await row_locked_transfers(admin_dsn, min(callers, 64), 1.0))[0])
        p50, p99 = percentile(waits, 50) * 1000, percentile(waits, 99) * 1000
        say(f"post.callers_{callers} run {number + 1}: {rates[-1]:,.0f}/s p50 {p50:.1f} p99 {p99:.1f} ms")
    return record(f"post.callers_{callers}", "entries/s", rates, beside)


async def _hot_record(writer: Writer, commands: int = 30_000) -> dict[str, object]:
    """Compare one bank account and few households with many of both, in turn."""
    ratios = []
    await _batches(writer, cheques(HOUSEHOLDS, HOUSEHOLDS, 1_000), 1_000)
    for number in range(RUNS):
        rates = []
        for households, bank_accounts in ((FEW, 1), (HOUSEHOLDS, 1_000), (HOUSEHOLDS, 1_000), (FEW, 1)):
            work = cheques(commands // 2, households, bank_accounts)
            settle()
            rates.append(await _batches(writer, work, 1_000))
        hot, spread = _harmonic(rates[0], rates[3]), _harmonic(rates[1], rates[2])
        ratios.append(hot / spread)
        say(f"post.hot_ratio run {number + 1}: {hot:,.0f}/s hot, {spread:,.0f}/s spread")
    return record("post.hot_ratio", "of spread load", ratios)


def _harmonic(one: float, other: float) -> float:
    return 2 / (1 / one + 1 / other)


async def _growth(dsn: str, commands: int = 60_000) -> list[dict[str, object]]:
    """Shard 0 is filled, shard 1 is empty; both are measured in turn."""
    ratios = []
    async with _writing(dsn, 0) as full, _writing(dsn, 1) as empty:
        for writer in (full, empty):
            await _batches(writer, bills(HOUSEHOLDS), 1_000)
        for number in range(RUNS):
            rates = []
            for writer in (full, empty, empty, full):
                work = bills(commands // 2)
                settle()
                rates.append(await _batches(writer, work, 1_000))
            large, small = _harmonic(rates[0], rates[3]), _harmonic(rates[1], rates[2])
            ratios.append(large / small)
            say(f"post.growth_ratio run {number + 1}: {large:,.0f}/s full, {small:,.0f}/s empty")
    return [record("post.growth_ratio", "of an empty store", ratios)]


async def _two_shards(dsn: str, commands: int = 60_000) -> list[dict[str, object]]:
    """Return what two worker processes post together on a shard each, and how often that of one alone."""
    both, alone = [], []
    for number in range(RUNS):
        one = await _posted_by(dsn, [0], commands)
        two = await _posted_by(dsn, [0, 1], commands)
        alone.append(one)
        both.append(two)
        say(f"post.two_shards run {number + 1}: {two:,.0f}/s, one alone {one:,.0f}/s")
    shares = [two / one for two, one in zip(both, alone, strict=True)]
    return [record("post.two_shards", "entries/s", both, alone), record("post.two_shards.ratio", "of one", shares)]


async def _posted_by(dsn: str, shards: Sequence[int], commands: int) -> float:
    """Return entries per second of processes that begin at one moment, until the last one has ended."""
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.post", "--shard", str(shard), dsn, str(commands),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for shard in shards
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        await child.stdout.readline()
    began = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        await child.stdin.drain()
    for child in children:
        assert child.stdout is not None
        await child.stdout.readline()
    elapsed = time.perf_counter() - began
    for child in children:
        if await child.wait():
            raise RuntimeError("a worker of the bench failed")
    return len(shards) * commands / elapsed


async def _child(shard: int, dsn: str, commands: int) -> None:
    """Prepare, say so, wait for the word, post, say so."""
    async with _writing(dsn, shard) as writer:
        await _batches(writer, bills(HOUSEHOLDS), 1_000)
        work = bills(commands)
        settle()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await _batches(writer, work, 1_000)
        print("done", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--shard":
        uvloop.run(_child(int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        print(json.dumps((run_long if "--long" in sys.argv else run)(sys.argv[1]), indent=2))
