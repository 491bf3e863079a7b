"""The books are destroyed and restored under a stack that took payments before, during and after the backup."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import aiohttp
import psycopg
import pytest

from deploy.demo.books import parked, read_books
from deploy.demo.proofs import projections_equal, verified_shards
from deploy.local import backup
from deploy.local.folder import StateFolder
from deploy.local.restore import restore
from deploy.local.stack import Stack
from shared.contracts.topics import SERVICES
from shared.eventlog.packing import unpack
from tests.flow.conftest import Portal

Log = list[bytes]


@asynccontextmanager
async def portal_of(stack: Stack) -> AsyncIterator[Portal]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Portal(stack, session)


async def pay(portal: Portal, count: int) -> list[tuple[str, str, str]]:
    """Have households open, billed and paid; return (account, payment, mail address) of each, all receipts sent."""

    async def one() -> tuple[str, str, str]:
        account_id, email = await portal.household()
        invoice_id, due = await portal.bill(account_id)
        member = portal.client("member", account_id)
        reply = await portal.pay(member, account_id, invoice_id, due)
        assert (await portal.final(member, reply.body["payment_id"]))["status"] == "settled"
        await portal.mail_to(email, within_s=60)
        return account_id, reply.body["payment_id"], email

    return list(await asyncio.gather(*(one() for _ in range(count))))


def logs_of(stack: Stack) -> dict[tuple[str, int], Log]:
    """Return the digest of every event of every log, in order."""
    found: dict[tuple[str, int], Log] = {}
    for service in SERVICES:
        with psycopg.connect(stack.dsn(service)) as connection:
            rows = connection.execute("SELECT shard, data FROM event ORDER BY shard, position")
            for shard, data in rows:
                found.setdefault((service, shard), []).append(sha256(unpack(data)).digest())
    return found


def destroy_books(stack: Stack) -> None:
    """Kill the books' server and remove all that it wrote, as a lost disk would."""
    stack.stop_process("archive")
    stack.kill("postgres", signal.SIGKILL)
    stack.stop()
    shutil.rmtree(stack.state.postgres)


@pytest.mark.parametrize("archived", [True, False], ids=["archived WAL", "no WAL since the backup"])
async def test_books_that_were_destroyed_come_back_with_every_payment_once(tmp_path: Path, archived: bool) -> None:
    state, folder = tmp_path / "state", tmp_path / "backup"
    with Stack(state) as stack:
        async with portal_of(stack) as portal:
            paid = await pay(portal, 6)
            during, _ = await asyncio.gather(pay(portal, 6), asyncio.to_thread(backup.take, stack.state, folder))
            paid += during + await pay(portal, 6)
            written = logs_of(stack)
        destroy_books(stack)
    if not archived:
        for segment in (folder / "wal").iterdir():
            segment.unlink()
    done = await asyncio.to_thread(restore, StateFolder(state), folder)
    assert done.moved_aside is None
    assert done.behind == {}
    assert set(done.adopted) == (set() if archived else set(SERVICES))
    with Stack(state) as stack:
        kept = logs_of(stack)
        assert {place: kept[place][: len(log)] for place, log in written.items()} == written
        async with portal_of(stack) as portal:
            paid += await pay(portal, 3)
            for account_id, payment_id, email in paid:
                member = portal.client("member", account_id)
                assert (await portal.final(member, payment_id))["status"] == "settled"
                assert len(portal.simulated("charges", payment_id)) == 1
                assert [mail["copies"] for mail in portal.mails_to(email)] == [1]
        assert read_books(stack.dsn("ledger"), stack.shards).trial_balance_minor == 0
        assert parked(stack) == 0
        assert verified_shards(stack)[1] == []
        assert projections_equal(stack) == []
