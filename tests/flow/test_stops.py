"""A service that is told to stop, or that was stopped and wakes late, loses and doubles nothing."""

import asyncio
import os
import signal
import time

import pytest

from deploy.demo.books import parked
from tests.flow.conftest import Portal
from tests.flow.test_kills import _all_once

DRAINS_WITHIN_S = 10.0


def _is_gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def end(portal: Portal, process: str) -> float:
    """Send SIGTERM and return how long the process took to end."""
    pid = portal.stack.pid(process)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    while not await asyncio.to_thread(_is_gone, pid):
        await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("process", ["gateway-worker", "billing", "ledger", "notifier"])
async def test_sigterm_drains_in_time_while_kafka_does_not_answer(portal: Portal, process: str) -> None:
    name = next(one for one in portal.stack.processes if one.startswith(process))
    kafka = portal.stack.pid("kafka")
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    os.kill(kafka, signal.SIGSTOP)
    try:
        reply = await portal.pay(member, account_id, invoice_id, due)
        assert await end(portal, name) < DRAINS_WITHIN_S
    finally:
        os.kill(kafka, signal.SIGCONT)
    await asyncio.to_thread(portal.stack.wait_ready, 60.0)
    assert (await portal.final(member, reply.body["payment_id"], within_s=120))["status"] == "settled"
    assert len(portal.simulated("charges", reply.body["payment_id"])) == 1
    assert parked(portal.stack) == 0


@pytest.mark.parametrize("process", ["billing", "ledger", "notifier"])
async def test_a_service_that_stands_still_and_wakes_late_loses_and_doubles_nothing(
    portal: Portal, process: str
) -> None:
    name = next(one for one in portal.stack.processes if one.startswith(process))

    async def stand_still() -> None:
        await asyncio.sleep(0.7)
        pid = portal.stack.pid(name)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(8.0)  # longer than a session of the group, and than a transaction may stand idle
        os.kill(pid, signal.SIGCONT)
        await asyncio.to_thread(portal.stack.wait_ready, 60.0)

    await _all_once(portal, stand_still)
