"""A worker says that it is not ready where it may not run a shard that it was given."""

import pytest

from shared.decider import Registry
from shared.errors import Fenced, RolledBack
from shared.eventlog.held_shard import HeldShard
from shared.settings import ProcessSettings
from shared.worker import Worker


async def test_a_worker_whose_shard_was_rolled_back_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ahead(service: str, shards: list[int], store: object, tails: object) -> dict[int, RolledBack]:
        return {shard: RolledBack("an old copy") for shard in shards}

    monkeypatch.setattr("shared.worker.topic_ahead_of_log", ahead)
    settings = ProcessSettings(postgres_dsn="host=nowhere", kafka_bootstrap="localhost:1", profile="local")
    worker = Worker(Registry(service="billing", kinds=(), handlers={}), settings, lambda context: ())
    assert worker._ready().checks["logs"]
    await worker._take([2])
    assert not worker._ready().checks["logs"]
    await worker._give_up([2])
    assert worker._ready().checks["logs"]


async def test_a_worker_that_cannot_take_its_shard_by_a_fault_of_ours_ends_and_does_not_stand_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def none_ahead(service: str, shards: list[int], store: object, tails: object) -> dict[int, RolledBack]:
        return {}

    async def refuse(held: HeldShard, on_lost: object) -> None:
        raise Fenced("shard 2 is in mode shared")

    monkeypatch.setattr("shared.worker.topic_ahead_of_log", none_ahead)
    monkeypatch.setattr(HeldShard, "start", refuse)
    settings = ProcessSettings(postgres_dsn="host=nowhere", kafka_bootstrap="localhost:1", profile="local")
    worker = Worker(Registry(service="billing", kinds=(), handlers={}), settings, lambda context: ())
    with pytest.raises(Fenced):
        await worker._take([2])
    assert isinstance(worker.failed.result(), Fenced)
