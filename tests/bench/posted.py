"""Credit from one household to another over HTTP, until both legs are posted and can be read."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from deploy.demo.client import Client
from deploy.local.identity import token
from deploy.local.stack import Stack
from tests.bench.loading import Told, load, load_generator, request, write_requests
from tests.bench.machine import RUNS, record, row_locked_transfers, say

HOUSEHOLDS = 256
CREDIT_MINOR = 10_000_000
SECONDS = {1: 4, 64: 5}
BASELINE_S = 2.0
BOOKS_EVEN_WITHIN_S = 20.0
_HALF_POSTED = """
SELECT count(*) FROM transfer_view v JOIN transfer_posted_view p USING (transfer_id)
WHERE v.status = 'completed' AND p.debit_minor <> p.credit_minor
"""
_keys = count(1)


def run(stack: Stack, build: Path) -> list[dict[str, object]]:
    """Return `flow.posted_1` (p50) and `flow.posted_64`; the baseline is a row-locked balance table without HTTP.

    What 64 connections reach has the number of shards in its name, where it is not one; a single caller is measured
    where there are several, as in most stacks.
    """
    program = load_generator(build)
    if program is None:
        return []
    bearer = token(stack.issuer, "finance")
    accounts = asyncio.run(_accounts(stack.gateway_url, bearer))
    told = {
        connections: [_measure(stack, program, build, bearer, accounts, connections) for _ in range(RUNS)]
        for connections in ((1, 64) if stack.shards > 1 else (64,))
    }
    _look_at_the_books(stack, bearer, accounts[0])
    many_per_s, many_ms = asyncio.run(row_locked_transfers(stack.admin_dsn, 64, BASELINE_S))
    of = "" if stack.shards == 1 else f".shards_{stack.shards}"
    records = [
        record(f"flow.posted_64{of}", "transfers/s", [one.per_s for one in told[64]], many_per_s),
        record(f"flow.posted_64{of}.p50", "ms", [one.p50_ms for one in told[64]], many_ms, smaller_is_better=True),
        record(f"flow.posted_64{of}.p99", "ms", [one.p99_ms for one in told[64]], smaller_is_better=True),
    ]
    if 1 in told:
        one_per_s, one_ms = asyncio.run(row_locked_transfers(stack.admin_dsn, 1, BASELINE_S))
        records += [
            record("flow.posted_1", "ms", [one.p50_ms for one in told[1]], one_ms, smaller_is_better=True),
            record("flow.posted_1.rate", "transfers/s", [one.per_s for one in told[1]], one_per_s),
        ]
    return records


async def _accounts(url: str, bearer: str) -> list[str]:
    """Open households and give each a cheque of credit; return their ids."""
    async with aiohttp.ClientSession() as session:
        clerk = Client(session, url, bearer)
        room = asyncio.Semaphore(32)

        async def one(number: int) -> str:
            async with room:
                body: dict[str, Any] = {
                    "name": "Bench Mark", "email": f"posted-{number}@example.org", "language": "en",
                }  # fmt: skip
                account = await clerk.post("/v1/accounts", body, f"posted-a-{number}", wait_s=20)
                account_id: str = account.body["account_id"]
                body = {
                    "account_id": account_id, "amount": {"minor": CREDIT_MINOR, "currency": "USD"},
                    "bank_account": "lockbox", "bank_reference": f"LB{number:09d}", "received_on": _today(),
                }  # fmt: skip
                receipt = await clerk.post("/v1/receipts", body, f"posted-r-{number}", wait_s=20)
                if receipt.body.get("status") != "settled":
                    raise RuntimeError(f"a cheque was answered {receipt.status} {receipt.body}")
                return account_id

        return list(await asyncio.gather(*(one(number) for number in range(HOUSEHOLDS))))


def _measure(stack: Stack, program: Path, build: Path, bearer: str, accounts: list[str], connections: int) -> Told:
    requests = build / "requests"
    write_requests(requests, _requests(bearer, accounts, 2_000 if connections == 1 else 20_000))
    told = load(program, stack.ports["gateway-http"], connections, SECONDS[connections], requests).only(201)
    figures = f"{told.per_s:.0f}/s, p50 {told.p50_ms:.1f} ms, p99 {told.p99_ms:.1f} ms"
    say(f"flow.posted_{connections}: {figures}")
    return told


def _requests(bearer: str, accounts: list[str], number: int) -> Iterator[bytes]:
    for _ in range(number):
        key = next(_keys)
        body = {
            "account_id": accounts[key % len(accounts)], "to_account_id": accounts[(key * 7 + 1) % len(accounts)],
            "amount": {"minor": 1, "currency": "USD"}, "reason": "same_family",
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": f"posted-{key}", "Prefer": "wait=30"}
        yield request("POST", "/v1/transfers", headers, body)


def _look_at_the_books(stack: Stack, bearer: str, account_id: str) -> None:
    """Raise unless every transfer leaves 2140 empty, and a household's balance can be read.

    Those that the load generator did not wait for to its end may be between their legs for a moment.
    """
    deadline = time.monotonic() + BOOKS_EVEN_WITHIN_S
    with psycopg.connect(stack.admin_dsn, dbname="piperoll_gateway", autocommit=True) as connection:
        while (half := connection.execute(_HALF_POSTED).fetchone()) != (0,):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{half} completed transfers stand half posted on 2140")
            time.sleep(0.1)
    ask = urllib.request.Request(f"{stack.gateway_url}/v1/accounts/{account_id}/balances")  # noqa: S310
    ask.add_header("Authorization", f"Bearer {bearer}")
    with urllib.request.urlopen(ask, timeout=10) as answer:  # noqa: S310
        assert json.load(answer)["balances"]


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
