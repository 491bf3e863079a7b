"""A worker says that it is not ready where it may not run a shard that it was given."""

import pytest

from shared.decider import Registry
from shared.errors import Fenced, RolledBack, StoreDown
from shared.eventlog.held_shard import HeldShard
from shared.settings import ProcessSettings
from shared.telemetry import metrics
from shared.worker import Worker


async def test_a_worker_whose_shard_was_rolled_back_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ahead(service: str, shards: list[int], store: object, tails: object) -> dict[int, RolledBack]:
        return {shard: RolledBack("an old copy") for shard in shards}

    monkeypatch.setattr("shared.worker.old_copies", ahead)
    monkeypatch.setattr("shared.worker.OLD_COPY_AGAIN_S", 0.0)
    settings = ProcessSettings(postgres_dsn="host=nowhere", kafka_bootstrap="localhost:1", profile="local")
    worker = Worker(Registry(service="billing", kinds=(), handlers={}), settings, lambda context: ())
    assert worker._ready().checks["logs"]
    with pytest.raises(StoreDown):
        await worker._take([2])
    assert not worker._ready().checks["logs"]
    await worker._give_up([2])
    assert worker._ready().checks["logs"]


async def test_a_shard_that_was_lost_and_is_given_up_or_taken_again_is_not_shown_as_standing_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ahead(service: str, shards: list[int], store: object, tails: object) -> dict[int, RolledBack]:
        return {1: RolledBack("an old copy")} if 1 in shards else {}

    async def start(held: HeldShard, on_lost: object) -> None: ...

    def stopped(shard: int, cause: str) -> float:
        shown: float = metrics.SHARD_STOPPED.labels("billing", str(shard), cause)._value.get()
        return shown

    monkeypatch.setattr("shared.worker.old_copies", ahead)
    monkeypatch.setattr("shared.worker.OLD_COPY_AGAIN_S", 0.0)
    monkeypatch.setattr(HeldShard, "start", start)
    settings = ProcessSettings(postgres_dsn="host=nowhere", kafka_bootstrap="localhost:1", profile="local")
    worker = Worker(Registry(service="billing", kinds=(), handlers={}), settings, lambda context: ())
    worker._lost(2, Fenced("another worker took it"))
    with pytest.raises(StoreDown):
        await worker._take([1])
    assert (stopped(1, "rolled_back"), stopped(2, "Fenced")) == (1, 1)
    await worker._take([2])
    await worker._give_up([1])
    assert (stopped(1, "rolled_back"), stopped(2, "Fenced")) == (0, 0)


async def test_a_worker_that_cannot_take_its_shard_by_a_fault_of_ours_ends_and_does_not_stand_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def none_ahead(service: str, shards: list[int], store: object, tails: object) -> dict[int, RolledBack]:
        return {}

    async def refuse(held: HeldShard, on_lost: object) -> None:
        raise Fenced("shard 2 is in mode shared")

    monkeypatch.setattr("shared.worker.old_copies", none_ahead)
    monkeypatch.setattr(HeldShard, "start", refuse)
    settings = ProcessSettings(postgres_dsn="host=nowhere", kafka_bootstrap="localhost:1", profile="local")
    worker = Worker(Registry(service="billing", kinds=(), handlers={}), settings, lambda context: ())
    with pytest.raises(Fenced):
        await worker._take([2])
    assert isinstance(worker.failed.result(), Fenced)
