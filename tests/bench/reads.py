"""A household's balances and its last twenty entries over the ledger's HTTP, a million entries stored."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.local.identity import token
from deploy.local.stack import Stack
from services.ledger.projections.balances import Balances
from shared.eventlog.own_log import OwnLog
from shared.eventlog.swap import rebuild
from tests.bench.entries import account_of
from tests.bench.loading import bare, free_port, load, load_generator, request, wait_for, write_requests
from tests.bench.machine import RUNS, record, say

CONNECTIONS = 16
SECONDS = 3
WHERE = {
    "read.balance_16": "/v1/balances?account_id={}",
    "read.last20_16": "/v1/entries?account_id={}&limit=20",
}


def run(stack: Stack, build: Path, admin: str, households: int, shards: int) -> list[dict[str, object]]:
    """Return `read.balance_16` and `read.last20_16`; the baseline is a server that does nothing.

    `admin` is the superuser's DSN on a filled ledger's database with so many households. The stack has identity. What
    another bench has rebuilt already is not rebuilt again.
    """
    program = load_generator(build)
    if program is None:
        return []
    with psycopg.connect(admin) as connection:
        empty = connection.execute("SELECT NOT EXISTS (SELECT FROM balance)").fetchone() == (True,)
    if empty:
        rebuild(admin, Balances(), OwnLog(admin, "ledger"), 2)
    bearer = token(stack.issuer, "finance")
    records: list[dict[str, object]] = []
    with _ledger_http(stack, build, admin, shards) as port:
        for name, path in WHERE.items():
            requests = build / "requests"
            write_requests(requests, _requests(path, bearer, households))
            told = [load(program, port, CONNECTIONS, SECONDS, requests).only(200) for _ in range(RUNS)]
            rates, tails = [one.per_s for one in told], [one.p99_ms for one in told]
            say(f"{name}: {rates} per s, p99 {tails} ms")
            nothing = bare(program, CONNECTIONS, SECONDS / 2, requests)
            records.append(record(name, "requests/s", rates, nothing.per_s))
            records.append(record(f"{name}.p99", "ms", tails, nothing.p99_ms, smaller_is_better=True))
    return records


def _requests(path: str, bearer: str, households: int) -> Iterator[bytes]:
    chosen, headers = Random(5), {"Authorization": f"Bearer {bearer}"}
    for _ in range(60_000):
        yield request("GET", path.format(account_of(chosen.randrange(households))), headers)


@contextmanager
def _ledger_http(stack: Stack, build: Path, admin: str, shards: int) -> Iterator[int]:
    """Serve the ledger's read-only HTTP on a port of its own; its log is kept in `build`."""
    port = free_port()
    env = {
        **os.environ,
        "PIPEROLL_POSTGRES_DSN": make_conninfo(admin, user="piperoll_ledger"),
        "PIPEROLL_SHARDS": str(shards),
        "PIPEROLL_OIDC_ISSUER": stack.issuer,
        "PIPEROLL_HTTP_PORT": str(port),
        "PIPEROLL_STAFF_RATE_PER_MIN": "10000000",
    }
    with (build / "bench-ledger-http.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ledger.app", "http"], env=env, stdout=log, stderr=log
        )
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(30)
