"""`ledger.balances.v1`: of each key the newest balance, whatever fails on the way."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import pytest

from services.ledger.projections import PROJECTIONS
from services.ledger.publishing import BalancePublisher
from shared import faults
from shared.contracts.ledger import BalanceStated
from shared.contracts.topics import LEDGER_BALANCES
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.memory import MemoryPublisher
from shared.eventlog.projection_runner import ProjectionRunner
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.unit.ledger.story import ACCOUNT, allocated, bill, registered, settled

PAID = (bill(), registered(), settled(), allocated())


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def parts(context: ShardContext) -> tuple[ShardPart, ...]:
    return (ProjectionRunner(context, PROJECTIONS), BalancePublisher(context, gather_s=0))


def newest(publisher: MemoryPublisher) -> dict[str, tuple[int, int]]:
    """Return what a reader keeps: of each key the record with the highest position."""
    kept: dict[str, BalanceStated] = {}
    for message in publisher.messages:
        stated = msgspec.json.decode(message.value, type=BalanceStated)
        assert (message.topic, message.partition, message.key) == (LEDGER_BALANCES, 0, stated.key.encode())
        if stated.key not in kept or kept[stated.key].position <= stated.position:
            kept[stated.key] = stated
    return {key: (stated.debit_minor, stated.credit_minor) for key, stated in kept.items()}


def table(database: Database) -> dict[str, tuple[Any, Any]]:
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute(
            "SELECT account_id || '/' || code || '/' || sub_key || '/' || currency, debit_minor, credit_minor"
            " FROM balance"
        ).fetchall()
    return {key: (debit_minor, credit_minor) for key, debit_minor, credit_minor in rows}


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not reached():
            await asyncio.sleep(0.05)


async def test_a_reader_ends_with_the_balances_of_the_books(database: Database) -> None:
    publisher = MemoryPublisher()
    async with held_shard(database.dsn, 0, parts, publisher=publisher) as shard:
        await shard.tell(*PAID)
        await shard.folded()
        await until(lambda: newest(publisher) == table(database))
        await shard.tell(bill())
        await shard.folded()
        await until(lambda: newest(publisher) == table(database))

    assert newest(publisher)[f"{ACCOUNT}/2110/{ACCOUNT}/USD"] == (18165, 18165)
    assert {msgspec.json.decode(one.value)["tenant"] for one in publisher.messages} == {"demo"}


async def test_what_was_booked_while_nobody_published_is_published_by_the_next_owner(database: Database) -> None:
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID)
        await shard.folded()
    publisher = MemoryPublisher()
    async with held_shard(database.dsn, 0, parts, publisher=publisher):
        await until(lambda: newest(publisher) == table(database))

    again = MemoryPublisher()
    async with held_shard(database.dsn, 0, parts, publisher=again):
        await asyncio.sleep(1.0)  # its first look
    assert again.messages == []


async def test_what_the_broker_did_not_take_or_nobody_noted_is_sent_again(database: Database) -> None:
    publisher = MemoryPublisher()
    publisher.fail = 1
    faults.arm(faults.Point.BALANCES_AFTER_SEND)
    try:
        async with held_shard(database.dsn, 0, parts, publisher=publisher) as shard:
            await shard.tell(*PAID)
            await shard.folded()
            keys = len(table(database))
            await until(lambda: len(publisher.messages) >= 2 * keys)
    finally:
        faults.disarm_all()

    assert newest(publisher) == table(database)
