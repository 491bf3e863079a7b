"""The net passes on what a lost webhook would have said, each event once, and nothing of what has ended here."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.billing.domain.commands import NudgeAttempt, NudgeObject
from services.billing.rails.port import RailDown, Told
from services.billing.schedule import Net
from shared.ids import shard_of
from tests.unit.billing.effect_story import NOW, Writer

SHARDS = 8
HERE = shard_of("demo", "acc_a", SHARDS)
MINUTES = timedelta(minutes=5)
CHARGE = Told(
    event_id="evt_1", kind="charge.succeeded", object_id="ch_1", tenant="demo", account_id="acc_a", attempt_id="att_0_a"
)
REFUND = Told(
    event_id="evt_2", kind="refund.failed", object_id="re_1", tenant="demo", account_id="acc_a", attempt_id=None
)
DISPUTE = Told(
    event_id="evt_3", kind="charge.dispute.created", object_id="du_1", tenant=None, account_id=None, attempt_id=None
)


class List:
    """A rail's event list that notes from when on it was read."""

    def __init__(self, *told: Told) -> None:
        self.told = told
        self.begins: list[datetime] = []
        self.is_down = False

    async def told_since(self, begin: datetime) -> Sequence[Told]:
        if self.is_down:
            raise RailDown("event_list")
        self.begins.append(begin)
        return self.told


def net(rail: Any, writer: Writer, shard: int = HERE, ended: tuple[str, str] = ("", "")) -> Net:
    def has_ended(attempt_id: str, object_id: str) -> bool:
        return (attempt_id, object_id) == ended

    return Net(rail, writer.outbox, "demo", shard, SHARDS, has_ended)


async def passed_on(told: Told, **more: Any) -> list[Any]:
    writer = Writer()
    await net(List(told), writer, **more).tick(NOW)
    return writer.commands


async def test_a_charge_and_a_refund_go_to_their_household() -> None:
    assert await passed_on(CHARGE) == [
        NudgeAttempt(account_id="acc_a", attempt_id="att_0_a", kind="charge.succeeded", object_id="ch_1")
    ]
    assert await passed_on(REFUND) == [
        NudgeAttempt(account_id="acc_a", attempt_id="", kind="refund.failed", object_id="re_1")
    ]


async def test_a_dispute_goes_to_the_shard_of_its_own_name() -> None:
    shard = shard_of("demo", "du_1", SHARDS)
    assert await passed_on(DISPUTE, shard=shard) == [NudgeObject(kind="charge.dispute.created", object_id="du_1")]
    assert await passed_on(DISPUTE, shard=(shard + 1) % SHARDS) == []


@pytest.mark.parametrize(
    ("told", "more"),
    [
        (CHARGE, {"ended": ("att_0_a", "ch_1")}),
        (CHARGE, {"shard": (HERE + 1) % SHARDS}),
        (msgspec.structs.replace(CHARGE, tenant="other"), {}),
        (msgspec.structs.replace(CHARGE, tenant=None, account_id=None), {"shard": shard_of("demo", "ch_1", SHARDS)}),
    ],
)
async def test_what_has_ended_or_is_anothers_costs_nothing(told: Told, more: dict[str, Any]) -> None:
    assert await passed_on(told, **more) == []


async def test_a_second_charge_of_an_ended_attempt_is_passed_on() -> None:
    assert len(await passed_on(CHARGE, ended=("att_0_a", "ch_2"))) == 1


async def test_the_spans_overlap_and_an_event_in_two_of_them_is_passed_on_once() -> None:
    rail, writer = List(CHARGE), Writer()
    reading = net(rail, writer)
    await reading.tick(NOW)
    await reading.tick(NOW + MINUTES - timedelta(seconds=1))
    await reading.tick(NOW + MINUTES)
    assert [begin < NOW for begin in rail.begins] == [True, True]
    assert len(rail.begins) == 2
    assert len(writer.commands) == 1


async def test_a_span_that_could_not_be_read_is_read_later() -> None:
    rail, writer = List(CHARGE), Writer()
    reading = net(rail, writer)
    rail.is_down = True
    with pytest.raises(RailDown):
        await reading.tick(NOW)
    rail.is_down = False
    await reading.tick(NOW + timedelta(days=3))
    assert rail.begins[0] < NOW
