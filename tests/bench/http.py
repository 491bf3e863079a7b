"""POST /v1/payments until 202: the gateway with two server processes, relay and broker on, downstream stopped."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from deploy.demo.client import Client
from deploy.local.identity import token
from deploy.local.stack import Stack
from tests.bench.loading import bare, load, load_generator, request, write_requests
from tests.bench.machine import RUNS, record, say

HOUSEHOLDS = 200
SECONDS = 3
CONNECTIONS = (1, 64)
DOWNSTREAM = ("billing", "ledger", "notifier")
_keys = count(1)


def run(stack: Stack, build: Path) -> list[dict[str, object]]:
    """Return the records `http.conn_1` and `http.conn_64`; the baseline is a bare server under the same load."""
    program = load_generator(build)
    if program is None:
        return []
    bearer = token(stack.issuer, "finance")
    bills = asyncio.run(_bills(stack.gateway_url, bearer))
    for service in DOWNSTREAM:
        stack.stop_process(service)
    try:
        records: list[dict[str, object]] = []
        for connections in CONNECTIONS:
            records += _measure(stack, program, build, bearer, bills, connections)
        return records
    finally:
        for service in DOWNSTREAM:
            stack.start_process(service)
        stack.wait_ready(60)


async def _bills(url: str, bearer: str) -> list[tuple[str, str]]:
    """Open households and bill them; return (account id, invoice id)."""
    async with aiohttp.ClientSession() as session:
        clerk = Client(session, url, bearer)
        room = asyncio.Semaphore(32)

        async def one(number: int) -> tuple[str, str]:
            async with room:
                account = await clerk.post("/v1/accounts", _account(number), f"bench-a-{number}", wait_s=10)
                account_id = account.body["account_id"]
                invoice = await clerk.post("/v1/invoices", _invoice(account_id, number), f"bench-i-{number}", wait_s=10)
                return account_id, invoice.body["invoice_id"]

        return list(await asyncio.gather(*(one(number) for number in range(HOUSEHOLDS))))


def _account(number: int) -> dict[str, Any]:
    return {"name": "Bench Mark", "email": f"bench-{number}@example.org", "language": "en"}


def _invoice(account_id: str, number: int) -> dict[str, Any]:
    line = {"policy_id": f"POL-B-{number}", "coverage_month": "2027-01", "gross_minor": 18_165,
            "aptc_minor": 0, "state_subsidy_minor": 0}  # fmt: skip
    return {"account_id": account_id, "due_date": "2027-01-01", "currency": "USD", "lines": [line]}


def _measure(
    stack: Stack, program: Path, build: Path, bearer: str, bills: list[tuple[str, str]], connections: int
) -> list[dict[str, object]]:
    requests = build / "requests"
    name = f"http.conn_{connections}"
    rates, tails = [], []
    for number in range(RUNS):
        write_requests(requests, _requests(bearer, bills, 4_000 if connections == 1 else 40_000))
        told = load(program, stack.ports["gateway-http"], connections, SECONDS, requests).only(202)
        rates.append(told.per_s)
        tails.append(told.p99_ms)
        say(f"{name} run {number + 1}: {rates[-1]:.0f}/s p99 {tails[-1]:.1f} ms")
    baseline = bare(program, connections, SECONDS / 2, requests)
    return [
        record(name, "requests/s", rates, baseline.per_s),
        record(f"{name}.p99", "ms", tails, baseline.p99_ms, smaller_is_better=True),
    ]


def _requests(bearer: str, bills: list[tuple[str, str]], number: int) -> Iterator[bytes]:
    for i in range(number):
        account_id, invoice_id = bills[i % len(bills)]
        body = {
            "account_id": account_id, "invoice_id": invoice_id, "amount": {"minor": 18_165, "currency": "USD"},
            "method": {"type": "card", "token": "pm_card_visa"},
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": f"bench-{next(_keys)}"}
        yield request("POST", "/v1/payments", headers, body)
