"""Poison on a topic: it is parked, its household waits, everybody else goes on, and a person lets it go."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from shared.contracts.topics import BILLING_COMMANDS
from shared.ids import shard_of
from tests.flow.conftest import Portal

ROOT = Path(__file__).resolve().parents[2]


async def _produce(portal: Portal, account_id: str, value: bytes) -> tuple[int, int]:
    """Put a record of nobody's on the household's partition; return (partition, offset)."""
    partition = shard_of("demo", account_id, 8)
    producer = AIOKafkaProducer(bootstrap_servers=portal.stack.bootstrap, acks="all")
    await producer.start()
    try:
        sent = await producer.send_and_wait(BILLING_COMMANDS, value, key=account_id.encode(), partition=partition)
    finally:
        await producer.stop()
    return partition, sent.offset


def _admin(portal: Portal, *arguments: str) -> str:
    command = [sys.executable, "-m", "services.cli", "admin", "parked", *arguments, "--state", str(portal.stack.state)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("value", [b"not json", b"{}", b"x" * 70_000])
async def test_poison_holds_its_household_only_and_a_person_drops_it(portal: Portal, value: bytes) -> None:
    held, _ = await portal.household()
    other, _ = await portal.household()
    held_bill, held_due = await portal.bill(held)
    other_bill, other_due = await portal.bill(other)
    partition, offset = await _produce(portal, held, value)
    held_member, other_member = portal.client("member", held), portal.client("member", other)
    waiting = await portal.pay(held_member, held, held_bill, held_due)
    going = await portal.pay(other_member, other, other_bill, other_due)
    assert (await portal.final(other_member, going.body["payment_id"]))["status"] == "settled"
    assert (await held_member.get(f"/v1/payments/{waiting.body['payment_id']}")).body["status"] == "accepted"
    assert held in _admin(portal, "list")
    _admin(portal, "drop", "billing", f"{partition}/billing.commands.v1/-1/{offset}")
    assert (await portal.final(held_member, waiting.body["payment_id"]))["status"] == "settled"
    await asyncio.to_thread(portal.stack.wait_ready, 30)
