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


Headers = list[tuple[str, bytes]]


def _place(shard: int, position: int) -> Headers:
    """Return the headers of a record that says it comes from the gateway's log."""
    said = {"source": "gateway", "shard": shard, "position": position, "previous": position - 1,
            "previous_hash": "ab" * 32 if position > 1 else ""}  # fmt: skip
    return [(name, str(value).encode()) for name, value in said.items()]


async def _produce(portal: Portal, account_id: str, value: bytes, headers: Headers | None = None) -> tuple[int, int]:
    """Put a record of nobody's on the household's partition; return (partition, offset)."""
    partition = shard_of("demo", account_id, 8)
    producer = AIOKafkaProducer(bootstrap_servers=portal.stack.bootstrap, acks="all")
    await producer.start()
    try:
        sent = await producer.send_and_wait(
            BILLING_COMMANDS, value, key=account_id.encode(), partition=partition, headers=headers or []
        )
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


async def test_a_record_of_a_foreign_shard_is_parked(portal: Portal) -> None:
    account_id, _ = await portal.household()
    shard = shard_of("demo", account_id, 8)
    _, offset = await _produce(portal, account_id, b"{}", _place((shard + 1) % 8, 3))
    place = f"{shard}/billing.commands.v1/-1/{offset}"
    async with asyncio.timeout(20):
        while place not in await asyncio.to_thread(_admin, portal, "list"):
            await asyncio.sleep(0.2)
    assert "foreign_shard" in _admin(portal, "show", "billing", place)
    _admin(portal, "drop", "billing", place)


@pytest.mark.parametrize("position", [1, 10**9], ids=["below the cursor", "above a gap"])
async def test_a_record_below_the_cursor_or_above_a_gap_is_left_out_and_the_true_next_one_applied(
    portal: Portal, position: int
) -> None:
    account_id, email = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    await _produce(portal, account_id, b"other bytes", _place(shard_of("demo", account_id, 8), position))
    paying = await portal.pay(member, account_id, invoice_id, due)
    assert (await portal.final(member, paying.body["payment_id"]))["status"] == "settled"
    assert len(portal.simulated("charges", paying.body["payment_id"])) == 1
    await portal.mail_to(email)
    assert account_id not in _admin(portal, "list")
