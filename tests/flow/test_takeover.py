"""Who writes a shard is judged by the fence: workers that die, stand still and wake late harm nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.stack import Stack
from shared.faults import Point
from shared.kafka.publisher import KafkaPublisher
from tests.flow.ledger_workers import (
    SHARDS,
    Bills,
    all_well,
    appended_by,
    epochs,
    held_by,
    posted,
    until,
    worker_beside,
)

TAKEN_WITHIN_S = 60.0
"""A session of 6 s, two rebalances, at the worst a shard's row that is held by who stands still, and room."""
ALL = set(range(SHARDS))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers of the ledger, and what they stand on."""
    ours = {"PIPEROLL_LEDGER_PROCESSES": "2"}
    with Stack(tmp_path_factory.mktemp("takeover"), only=("postgres", "kafka", "ledger"), env=ours) as running:
        yield running


@pytest.fixture(scope="module")
def told() -> Bills:
    return Bills()


@pytest.fixture
async def bills(stack: Stack, told: Bills) -> AsyncIterator[Bills]:
    """Bills told to workers that are well, and share the shards."""
    told.publisher = KafkaPublisher(stack.bootstrap, "bills")
    await until(lambda: _shared(held_by(stack)), TAKEN_WITHIN_S, "shards on both workers")
    yield told
    await told.publisher.stop()


def _shared(held: dict[str, set[int]]) -> bool:
    """Tell whether every worker has shards, and every shard one worker."""
    return all(held.values()) and sorted(shard for shards in held.values() for shard in shards) == sorted(ALL)


async def _posts(stack: Stack, bills: Bills, shards: set[int]) -> None:
    """Return once further entries stand on each of these shards."""
    before = posted(stack)
    await until(lambda: all(posted(stack)[shard] > before[shard] for shard in shards), 20.0, f"entries on {shards}")


async def test_a_worker_that_stood_still_past_its_session_is_replaced_and_comes_back_by_itself(
    stack: Stack, bills: Bills
) -> None:
    pid, frozen, before = stack.pid("ledger-2"), held_by(stack)["ledger-2"], epochs(stack)
    async with bills.trickling():
        await _posts(stack, bills, ALL)
        stack.kill("ledger-2", signal.SIGSTOP)
        await until(lambda: held_by(stack)["ledger"] == ALL, TAKEN_WITHIN_S, "all shards on the other worker")
        await _posts(stack, bills, ALL)
        assert all(epochs(stack)[shard] > before[shard] for shard in frozen)
        stack.kill("ledger-2", signal.SIGCONT)
        await until(lambda: _shared(held_by(stack)), TAKEN_WITHIN_S, "shards on both workers")
        await _posts(stack, bills, ALL)
    await all_well(stack, bills)
    assert (stack.pid("ledger-2"), stack.restarts("ledger-2")) == (pid, 0)


@pytest.mark.parametrize(
    ("point", "bills_at_once"),
    [
        pytest.param(Point.WRITER_AFTER_DECIDE, 1, id="decided"),
        pytest.param(Point.STORE_BEFORE_COMMIT, 150, id="copied"),
        pytest.param(Point.STORE_IN_COMMIT, 1, id="in COMMIT"),
        pytest.param(Point.STORE_IN_COMMIT, 150, id="in COMMIT, copying"),
    ],
)
async def test_a_worker_that_stands_still_in_a_commit_wakes_fenced_and_appends_nothing_more(
    stack: Stack, bills: Bills, point: Point, bills_at_once: int
) -> None:
    with worker_beside(stack, f"{point}-{bills_at_once}", PIPEROLL_FAULTS=f"{point}=stop:6") as worker:
        await until(lambda: len(worker.held()) > 0, TAKEN_WITHIN_S, "shards on the third worker")
        held = worker.held()
        async with bills.trickling():
            async with asyncio.timeout(TAKEN_WITHIN_S):
                while not worker.is_stopped():
                    await bills.tell(bills_at_once)
            await until(lambda: _shared(held_by(stack)), TAKEN_WITHIN_S, "all shards on the others")
            await _posts(stack, bills, held)
            worker.process.send_signal(signal.SIGCONT)
            await until(lambda: len(worker.held()) > 0, TAKEN_WITHIN_S, "shards on the third worker again")
            await _posts(stack, bills, ALL)
        assert worker.process.poll() is None, "no restart was needed"
        lost = appended_by(stack, worker.name, "shard_lost")
        assert lost
        assert {line["cause"] for line in lost} == {"Fenced"}
    await all_well(stack, bills)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_ends_in_the_middle_is_replaced(stack: Stack, bills: Bills, number: signal.Signals) -> None:
    restarts = stack.restarts("ledger-2")
    async with bills.trickling(20):
        await _posts(stack, bills, ALL)
        stack.kill("ledger-2", number)
        await until(lambda: stack.restarts("ledger-2") > restarts, 20.0, "a restart")
        await _posts(stack, bills, ALL)
    await all_well(stack, bills)


async def test_a_worker_that_is_killed_while_it_drains_is_replaced(stack: Stack, bills: Bills) -> None:
    restarts = stack.restarts("ledger-2")
    async with bills.trickling(20):
        await _posts(stack, bills, ALL)
        stack.kill("ledger-2", signal.SIGTERM)
        await asyncio.sleep(0.02)
        stack.kill("ledger-2", signal.SIGKILL)
        await until(lambda: stack.restarts("ledger-2") > restarts, 20.0, "a restart")
        await _posts(stack, bills, ALL)
    await all_well(stack, bills)


async def test_both_workers_killed_at_once_come_back_and_share_the_shards(stack: Stack, bills: Bills) -> None:
    async with bills.trickling(20):
        await _posts(stack, bills, ALL)
        for name in ("ledger", "ledger-2"):
            stack.kill(name, signal.SIGKILL)
        await until(lambda: _shared(held_by(stack)), TAKEN_WITHIN_S, "shards on both workers")
        await _posts(stack, bills, ALL)
    await all_well(stack, bills)


async def test_eight_shards_on_three_workers_move_when_one_comes_and_when_it_goes(stack: Stack, bills: Bills) -> None:
    async with bills.trickling(20):
        with worker_beside(stack, "third") as third:
            await until(lambda: len(third.held()) >= 2, TAKEN_WITHIN_S, "shards on the third worker")
            await until(lambda: _shared({**held_by(stack), "third": third.held()}), TAKEN_WITHIN_S, "shares of three")
            await _posts(stack, bills, ALL)
        await until(lambda: _shared(held_by(stack)), TAKEN_WITHIN_S, "shards on the two again")
        await _posts(stack, bills, ALL)
    await all_well(stack, bills)
