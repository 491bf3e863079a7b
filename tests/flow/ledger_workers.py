"""Several workers of the ledger on one log: bills that billing would have told them, and what must hold."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.layout import base_environment
from deploy.local.ports import settle_ports
from deploy.local.stack import Stack
from deploy.local.status import read
from shared.clock import rfc3339
from shared.contracts.billing import InvoiceIssued
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor, PremiumLine
from shared.contracts.ledger import EntryPosted
from shared.eventlog.outgoing import Chains, outgoing
from shared.eventlog.packing import unpack
from shared.eventlog.ports import EventRow
from shared.eventlog.verify import verify_log
from shared.ids import event_id, root_of_record, shard_of
from shared.kafka.publisher import KafkaPublisher
from tests.unit.shared.test_writer import START

SHARDS = 8
TENANT = "demo"
EVERY_S = 0.1
BILLING = Actor("system", "billing")
LINE = PremiumLine(policy_id="POL-1", coverage_month="2027-01", gross_minor=80_831, aptc_minor=62_666)


class Bills:
    """Billing's log as far as the ledger sees it: bills in the chain of each shard, published once and in order."""

    def __init__(self) -> None:
        self.told: Counter[int] = Counter()
        self.publisher: KafkaPublisher
        self._chains: dict[int, Chains] = {shard: {} for shard in range(SHARDS)}
        self._households = {shard: itertools.cycle(_households(shard, 5)) for shard in range(SHARDS)}

    async def tell(self, of_each_shard: int = 1) -> None:
        """Publish further bills on every shard's partition."""
        messages = []
        for shard in range(SHARDS):
            rows = [self._bill(shard) for _ in range(of_each_shard)]
            sent, self._chains[shard] = outgoing("billing", shard, SHARDS, rows, self._chains[shard])
            messages += sent
        await self.publisher.publish(messages)

    @asynccontextmanager
    async def trickling(self, of_each_shard: int = 1) -> AsyncIterator[None]:
        """Tell bills all the while."""
        going = True

        async def trickle() -> None:
            while going:
                await self.tell(of_each_shard)
                await asyncio.sleep(EVERY_S)

        task = asyncio.create_task(trickle())
        try:
            yield
        finally:
            going = False
            await task

    def _bill(self, shard: int) -> EventRow:
        self.told[shard] += 1
        position, account_id = self.told[shard], next(self._households[shard])
        bill = InvoiceIssued(
            account_id=account_id, invoice_id=f"inv_{shard}_{position}", number=str(position), due_date="2027-01-01",
            currency="USD", lines=(LINE,), total_minor=LINE.member_minor,
        )  # fmt: skip
        identity = event_id(root_of_record("gateway", shard, position), 0)
        data = seal(
            Envelope(
                tenant=TENANT, event_id=identity.hex(), type=bill.TYPE, stream=account_id, version=position,
                recorded_at=rfc3339(START), effective_date="2026-12-01", actor=BILLING, correlation="c",
                causation=None, payload=encode_event(bill),
            )
        )  # fmt: skip
        return EventRow(shard, position, account_id, position, identity, bill.TYPE, data)


def _households(shard: int, count: int) -> list[str]:
    names = (f"acc_{number:022d}" for number in itertools.count())
    return list(itertools.islice((name for name in names if shard_of(TENANT, name, SHARDS) == shard), count))


class Worker:
    """A worker of the ledger beside those of the stack, started by the test and told what it may do."""

    def __init__(self, stack: Stack, name: str, **env: str) -> None:
        self.name = name
        self.port = settle_ports(stack.state.path / f"{name}.json", [name])[name]
        self.log = stack.state.logs / f"{name}.log"
        told = {
            "PIPEROLL_PROFILE": "local",
            "PIPEROLL_INSTANCE": name,
            "PIPEROLL_SHARDS": str(SHARDS),
            "PIPEROLL_POSTGRES_DSN": stack.dsn("ledger"),
            "PIPEROLL_KAFKA_BOOTSTRAP": stack.bootstrap,
            "PIPEROLL_HTTP_PORT": str(self.port),
            "PIPEROLL_CLOCK_FILE": str(stack.state.clock),
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ledger.app"],
                env={**base_environment(os.environ), **told, **env},
                stdout=log,
                stderr=log,
            )

    def held(self) -> set[int]:
        """Return the shards that it holds now; none where it does not answer."""
        return set(health(self.port).get("shards", ()))

    def is_stopped(self) -> bool:
        return state_of(self.process.pid) == "T"

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(timeout=15)


@contextmanager
def worker_beside(stack: Stack, name: str, **env: str) -> Iterator[Worker]:
    """Run a worker beside those of the stack until the block ends."""
    worker = Worker(stack, name, **env)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.end()


def state_of(pid: int) -> str:
    """Return the kernel's letter for what a process does: T stands still, Z has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def health(port: int) -> dict[str, Any]:
    """Return what a worker says of itself, its shards by number; nothing where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/ready", timeout=1) as answer:
            told = json.load(answer)
    except (OSError, ValueError):
        return {}
    return {**told, "shards": {int(shard): one for shard, one in told["shards"].items()}}


def held_by(stack: Stack) -> dict[str, set[int]]:
    """Return which shards each worker of the stack holds."""
    return {name: set(health(stack.ports[name]).get("shards", ())) for name in ("ledger", "ledger-2")}


async def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Return once the condition holds; an AssertionError after `within_s` says what did not come."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not await asyncio.to_thread(condition):
        assert asyncio.get_running_loop().time() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.05)


def posted(stack: Stack) -> Counter[int]:
    """Return how many entries each shard's log has."""
    with psycopg.connect(stack.dsn("ledger")) as connection:
        rows = connection.execute(
            "SELECT shard, count(*) FROM event WHERE type = %s GROUP BY shard", (EntryPosted.TYPE,)
        )
        return Counter(dict(rows))


def epochs(stack: Stack) -> dict[int, int]:
    with psycopg.connect(stack.dsn("ledger")) as connection:
        return dict(connection.execute("SELECT shard, epoch FROM shard").fetchall())


def appended_by(stack: Stack, name: str, event: str) -> list[dict[str, Any]]:
    """Return the lines of a worker's log that tell of this event."""
    lines = (stack.state.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    told = (json.loads(line) for line in lines if line.startswith("{"))
    return [line for line in told if line.get("event") == event]


async def all_well(stack: Stack, bills: Bills, within_s: float = 60.0) -> None:
    """Every bill is posted exactly once, every log proves itself, every cursor is at the end, and the stack is well."""
    await until(lambda: posted(stack) == bills.told, within_s, f"{bills.told} entries")
    await until(lambda: read(stack.state).is_well, within_s, "a stack that is well")
    await until(lambda: all(lag_of(stack) == 0 for _ in range(2)), within_s, "no lag")
    dsn = stack.dsn("ledger")
    for shard, count in bills.told.items():
        assert verify_log(dsn, shard).size == count
        with psycopg.connect(dsn) as connection:
            rows = connection.execute("SELECT data FROM event WHERE shard = %s ORDER BY position", (shard,)).fetchall()
            causes = [_cause(unpack(bytes(data))) for (data,) in rows]
            (cursor,) = connection.execute("SELECT position FROM cursor WHERE shard = %s", (shard,)).fetchall()
        assert causes == [f"billing.{shard}.{position}" for position in range(1, count + 1)]
        assert cursor == (count,)


def _cause(data: bytes) -> str:
    event = open_fact(data).event
    assert isinstance(event, EntryPosted)
    return event.cause


def lag_of(stack: Stack) -> int:
    return sum(process.lag or 0 for process in read(stack.state).processes)
