"""All stores are rolled back to an old copy: no shard starts, each adopts its tail, and everything is as it was."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy.demo.books import parked
from deploy.local.errors import LocalStackError
from deploy.local.identity import token
from deploy.local.stack import Stack
from tests.flow.conftest import Portal
from tests.flow.test_wiped_topics import at_rest, settle_one

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "billing", "ledger", "notifier")
LOGS = {
    "event": "SELECT * FROM event ORDER BY shard, position",
    "shard": "SELECT shard, next_position, head FROM shard ORDER BY shard",
    "cursor": "SELECT * FROM cursor ORDER BY shard, topic, source_shard",
    "parked": "SELECT shard, topic, source_shard, position FROM parked WHERE released_at IS NULL ORDER BY 1, 2, 3, 4",
}
REQUESTS = {"request": "SELECT * FROM request ORDER BY shard, position"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of our own, whose stores are rolled back."""
    with Stack(tmp_path_factory.mktemp("rolled-back")) as running:
        yield running


@pytest.fixture
async def portal(stack: Stack) -> AsyncIterator[Portal]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Portal(stack, session)


def processes(stack: Stack) -> list[str]:
    return [name for name in stack.processes if name.partition("-")[0] in SERVICES]


def stop(stack: Stack) -> None:
    for name in processes(stack):
        stack.stop_process(name)


def start(stack: Stack) -> None:
    for name in processes(stack):
        stack.start_process(name)


def databases(stack: Stack, *statements: str) -> None:
    """Run statements for each service's database; `{}` is the service."""
    with psycopg.connect(stack.admin_dsn, autocommit=True) as connection:
        for service in SERVICES:
            for statement in statements:
                connection.execute(statement.replace("{}", service).encode())


def standing(stack: Stack, suffix: str = "") -> dict[tuple[str, str], list[Any]]:
    found = {}
    for service in SERVICES:
        dsn = make_conninfo(stack.admin_dsn, dbname=f"piperoll_{service}{suffix}")
        with psycopg.connect(dsn) as connection:
            for name, statement in (LOGS | (REQUESTS if service == "gateway" else {})).items():
                found[service, name] = connection.execute(statement.encode()).fetchall()
    return found


def adopt(stack: Stack, service: str, shard: int) -> str:
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "admin",
        "adopt-tail",
        service,
        str(shard),
        "--state",
        str(stack.state),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def may_be_billed(portal: Portal, account_id: str) -> int:
    """Ask for a bill and return the first answer's status; a process that starts on a busy machine listens late."""
    line = {"policy_id": "POL-closed", "coverage_month": "2027-02", "gross_minor": 5, "aptc_minor": 0,
            "state_subsidy_minor": 0}  # fmt: skip
    body = {"account_id": account_id, "due_date": "2027-02-01", "currency": "USD", "lines": [line]}
    bearer = token(portal.stack.issuer, "finance", [], subject="")
    headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": "closed-1"}
    url = f"{portal.stack.gateway_url}/v1/invoices"
    async with asyncio.timeout(60.0):
        while True:
            try:
                async with portal.session.post(url, json=body, headers=headers) as answer:
                    return answer.status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.2)


async def test_stores_that_were_rolled_back_adopt_their_tails_and_go_on_as_if_nothing_had_been(portal: Portal) -> None:
    stack = portal.stack
    account_id = await settle_one(portal)
    await settle_one(portal)
    await at_rest(stack, 30.0)
    await asyncio.to_thread(stop, stack)
    databases(stack, "CREATE DATABASE piperoll_{}_old TEMPLATE piperoll_{}")
    await asyncio.to_thread(start, stack)
    await asyncio.to_thread(stack.wait_ready, 60.0)
    for account in (account_id, "", ""):
        await settle_one(portal, account)
    await at_rest(stack, 30.0)
    await asyncio.sleep(2.0)
    await asyncio.to_thread(stop, stack)
    databases(
        stack,
        "ALTER DATABASE piperoll_{} RENAME TO piperoll_{}_new",
        "ALTER DATABASE piperoll_{}_old RENAME TO piperoll_{}",
    )
    before = standing(stack, "_new")
    assert before != standing(stack)
    await asyncio.to_thread(start, stack)
    with pytest.raises(LocalStackError):
        await asyncio.to_thread(stack.wait_ready, 15.0)
    assert await may_be_billed(portal, account_id) == 503
    told = [await asyncio.to_thread(adopt, stack, service, shard) for service in SERVICES for shard in range(8)]
    assert any("adopted positions" in one for one in told)
    assert any("lacks nothing" in one for one in told)
    await asyncio.to_thread(stack.wait_ready, 60.0)
    await at_rest(stack, 30.0)
    await asyncio.sleep(2.0)
    assert standing(stack) == before
    await settle_one(portal, account_id)
    await at_rest(stack, 30.0)
    assert parked(stack) == 0
