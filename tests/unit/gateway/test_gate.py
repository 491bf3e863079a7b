"""Nothing goes into the log of a shard before it is known that the store is no old copy of it."""

import asyncio
from collections.abc import Sequence

import pytest

from services.gateway.append import Appender, Gate
from shared.clock import SystemClock
from shared.errors import StoreDown, WorldFault
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from tests.unit.gateway.test_append import ZONE, wanted

TOPIC = "billing.commands.v1"


class Tails:
    """What stands on the gateway's topics; None: Kafka is away."""

    def __init__(self, positions: dict[tuple[str, int], int] | None) -> None:
        self.positions = positions

    async def last_positions(
        self, source: str, topics: Sequence[str], shards: Sequence[int]
    ) -> dict[tuple[str, int], int]:
        if self.positions is None:
            raise WorldFault("away")
        return self.positions


async def test_a_shard_whose_topic_is_ahead_stays_closed_until_its_tail_is_there_and_others_open_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.gateway.append.GATE_AGAIN_S", 0.01)
    store, tails = MemoryStore(2, mode=Mode.SHARED), Tails({(TOPIC, 1): 1})
    gate = Gate(2, store, tails)
    appender = Appender(store, SystemClock(), ZONE, 10, gate)
    running = [asyncio.create_task(appender.run())]
    with pytest.raises(StoreDown, match="not known yet"):
        await appender.append(wanted(1, shard=0))
    running.append(asyncio.create_task(gate.run()))
    await gate.looked.wait()
    assert (await appender.append(wanted(2, shard=0))).position == 1
    with pytest.raises(StoreDown, match="adopt-tail gateway 1"):
        await appender.append(wanted(3, shard=1))
    assert await store.ends([1]) == {1: 0}
    tails.positions = {}
    await running[1]
    assert (await appender.append(wanted(3, shard=1))).position == 1
    await appender.stop()
    await running[0]


async def test_with_kafka_away_a_store_on_its_own_timeline_opens() -> None:
    store = MemoryStore(2, mode=Mode.SHARED)
    gate = Gate(2, store, Tails(None))
    await gate.run()
    gate(0)
    gate(1)
