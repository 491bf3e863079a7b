"""POST /v1/payments until 202: the gateway with two server processes, relay and broker on, downstream stopped."""

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from deploy.demo.client import Client
from deploy.local.identity import token
from deploy.local.stack import Stack
from tests.bench.machine import RUNS, load_generator, record

HOUSEHOLDS = 200
SECONDS = 8
CONNECTIONS = (1, 64)
DOWNSTREAM = ("billing", "ledger", "notifier")
_keys = count(1)


def run(stack: Stack, build: Path) -> list[dict[str, object]]:
    """Return the records `http.conn_1` and `http.conn_64`; the baseline is a bare server under the same load."""
    load = load_generator(build)
    if load is None:
        return []
    bearer = token(stack.issuer, "finance")
    bills = asyncio.run(_bills(stack.gateway_url, bearer))
    for service in DOWNSTREAM:
        stack.stop_process(service)
    try:
        records: list[dict[str, object]] = []
        for connections in CONNECTIONS:
            records += _measure(stack, load, build, bearer, bills, connections)
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
    stack: Stack, load: Path, build: Path, bearer: str, bills: list[tuple[str, str]], connections: int
) -> list[dict[str, object]]:
    requests = build / "requests"
    rates, tails = [], []
    for number in range(RUNS):
        _write_requests(requests, bearer, bills, 4_000 if connections == 1 else 40_000)
        told = _load(load, stack.ports["gateway-http"], connections, requests)
        if set(told["status"]) != {"202"} or told["errors"]:
            raise RuntimeError(f"http.conn_{connections}: not every answer was 202: {told}")
        rates.append(told["answered"] / told["elapsed_s"])
        tails.append(told["p99_ms"])
        print(f"http.conn_{connections} run {number + 1}: {rates[-1]:.0f}/s p99 {tails[-1]:.1f} ms", file=sys.stderr)
    bare = _bare(load, requests, connections)
    name = f"http.conn_{connections}"
    return [
        record(name, "requests/s", rates, bare["answered"] / bare["elapsed_s"]),
        record(f"{name}.p99", "ms", tails, bare["p99_ms"], smaller_is_better=True),
    ]


def _write_requests(path: Path, bearer: str, bills: list[tuple[str, str]], number: int) -> None:
    with path.open("wb") as file:
        for i in range(number):
            account_id, invoice_id = bills[i % len(bills)]
            body = json.dumps({
                "account_id": account_id, "invoice_id": invoice_id, "amount": {"minor": 18_165, "currency": "USD"},
                "method": {"type": "card", "token": "pm_card_visa"},
            })  # fmt: skip
            head = (
                f"POST /v1/payments HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n"
                f"Content-Type: application/json\r\nIdempotency-Key: bench-{next(_keys)}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            raw = (head + body).encode()
            file.write(struct.pack("<I", len(raw)) + raw)


def _load(load: Path, port: int, connections: int, requests: Path) -> dict[str, Any]:
    command = [str(load), "127.0.0.1", str(port), str(connections), str(SECONDS), str(requests)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


def _bare(load: Path, requests: Path, connections: int) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.machine", str(port)])
    try:
        _wait_for(port)
        return _load(load, port, connections, requests)
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the bare server on port {port} did not start")
