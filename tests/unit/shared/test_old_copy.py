"""A store that is an old copy is told by its topics, and by PostgreSQL's timeline where Kafka is away."""

from collections.abc import Sequence

import pytest

from shared.errors import RolledBack, WorldFault
from shared.eventlog.memory import MemoryStore
from shared.eventlog.old_copy import Timeline, old_copies
from tests.unit.shared.test_relay import SHARD, append, log_of

TOPIC, ROUTED = "billing.events.v1", "billing.routed.v1"


class Tails:
    """What stands on the topics; None: Kafka is away."""

    def __init__(self, positions: dict[tuple[str, int], int] | None) -> None:
        self.positions = positions

    async def last_positions(
        self, source: str, topics: Sequence[str], shards: Sequence[int]
    ) -> dict[tuple[str, int], int]:
        if self.positions is None:
            raise WorldFault("away")
        return {place: position for place, position in self.positions.items() if place[0] in topics}


async def refused(store: MemoryStore, positions: dict[tuple[str, int], int] | None) -> dict[int, RolledBack]:
    return await old_copies("billing", [SHARD, 4], store, Tails(positions))


@pytest.mark.parametrize("topic", [TOPIC, ROUTED])
async def test_a_shard_of_which_any_topic_is_ahead_does_not_start(topic: str) -> None:
    ahead = await refused(await log_of(5), {(topic, SHARD): 6, (TOPIC, 4): 0})
    assert list(ahead) == [SHARD]
    assert isinstance(ahead[SHARD], RolledBack)
    assert "adopt-tail billing 3" in str(ahead[SHARD])


async def test_other_shards_records_on_a_topic_of_routed_facts_say_nothing() -> None:
    assert await refused(await log_of(5), {(ROUTED, SHARD): 5, (ROUTED, 7): 99}) == {}


async def test_a_log_that_grows_while_its_topic_is_looked_at_is_no_old_copy() -> None:
    store = await log_of(5)

    class Growing(Tails):
        async def last_positions(
            self, source: str, topics: Sequence[str], shards: Sequence[int]
        ) -> dict[tuple[str, int], int]:
            await append(store, 6, 1)
            return await super().last_positions(source, topics, shards)

    assert await old_copies("billing", [SHARD], store, Growing({(TOPIC, SHARD): 6})) == {}


async def test_a_topic_at_or_below_its_log_is_well() -> None:
    assert await refused(await log_of(5), {(TOPIC, SHARD): 5}) == {}


async def test_with_kafka_away_a_log_on_the_timeline_on_which_it_was_whole_starts() -> None:
    store = await log_of(5)
    assert await refused(store, {}) == {}
    assert await refused(store, None) == {}


@pytest.mark.parametrize("server", [Timeline(1, 2), Timeline(2, 1)], ids=["restored or promoted", "another server"])
async def test_with_kafka_away_a_log_on_another_timeline_does_not_start_until_kafka_answers(server: Timeline) -> None:
    store = await log_of(5)
    await refused(store, {})
    store.server = server
    ahead = await refused(store, None)
    assert list(ahead) == [SHARD, 4]
    assert "Kafka is away" in str(ahead[SHARD])
    assert list(await refused(store, {(TOPIC, SHARD): 6})) == [SHARD]
    assert list(await refused(store, None)) == [SHARD]
    assert await refused(store, {(TOPIC, SHARD): 5}) == {}
    assert await refused(store, None) == {}


async def test_a_first_start_with_kafka_away_knows_no_timeline_and_goes() -> None:
    assert await refused(await log_of(0), None) == {}
