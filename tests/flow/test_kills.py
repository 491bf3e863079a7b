"""Every process is killed in the middle of payments: nothing is lost, doubled, or left to somebody's hand."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest

from deploy.demo.books import parked
from tests.flow.conftest import Portal

PAYMENTS = 24


async def _pay_one(portal: Portal) -> tuple[str, str, str]:
    """Open, bill and pay one household with a patient client; return (payment id, status, mail address)."""
    account_id, email = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    reply = await portal.pay(member, account_id, invoice_id, due)
    ended = await portal.final(member, reply.body["payment_id"], within_s=120)
    return ended["payment_id"], ended["status"], email


async def _all_once(portal: Portal, disturb: Callable[[], Awaitable[None]]) -> None:
    room = asyncio.Semaphore(8)

    async def one() -> tuple[str, str, str]:
        async with room:
            return await _pay_one(portal)

    paying = [asyncio.create_task(one()) for _ in range(PAYMENTS)]
    await disturb()
    for payment_id, status, email in await asyncio.gather(*paying):
        assert status == "settled"
        assert len(portal.simulated("charges", payment_id)) == 1
        await portal.mail_to(email, within_s=60)
    assert parked(portal.stack) == 0


@pytest.mark.parametrize(
    "process",
    ["gateway-http", "gateway-worker", "billing", "ledger", "notifier", "card", "mail", "kafka", "postgres"],
)
async def test_a_process_killed_in_the_middle_loses_and_doubles_nothing(portal: Portal, process: str) -> None:
    name = next(one for one in portal.stack.processes if one.startswith(process))

    async def kill_twice() -> None:
        for _ in range(2):
            await asyncio.sleep(0.7)
            await asyncio.to_thread(portal.stack.kill, name, signal.SIGKILL)
            await asyncio.to_thread(portal.stack.wait_ready, 60.0)

    await _all_once(portal, kill_twice)


async def test_while_kafka_is_away_posts_are_accepted_and_all_end_once_after_its_return(portal: Portal) -> None:
    households = [await portal.household() for _ in range(10)]
    bills = [await portal.bill(account_id) for account_id, _ in households]
    members = [portal.client("member", account_id) for account_id, _ in households]
    await asyncio.to_thread(portal.stack.stop_process, "kafka")
    posted = []
    for (account_id, _), (invoice_id, due), member in zip(households, bills, members, strict=True):
        reply = await portal.pay(member, account_id, invoice_id, due)
        assert reply.status == 202
        posted.append(reply.body["payment_id"])
    await asyncio.sleep(10)
    await asyncio.to_thread(portal.stack.start_process, "kafka")
    for payment_id, member in zip(posted, members, strict=True):
        assert (await portal.final(member, payment_id, within_s=60))["status"] == "settled"
        assert len(portal.simulated("charges", payment_id)) == 1
