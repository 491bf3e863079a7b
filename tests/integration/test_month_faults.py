"""A small month with a fault at each point that an effect passes, the worker dying with it: the same closing totals."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.ledger.handlers import REGISTRY as LEDGER
from shared.contracts.billing import AttemptPlanned
from shared.contracts.envelope import open_fact
from shared.contracts.ledger import EntryPosted, LimitBroken
from shared.decider import Cause, Context
from shared.faults import Point, arm, disarm_all
from shared.ids import root_of_record
from tests.integration.billing_shard import BillingShard, billing_shard
from tests.integration.card_simulator import Simulator, eventually, running
from tests.integration.card_story import cancel, dispute, follow, refund, told

POINTS = [
    Point.EFFECT_BEFORE_CREATE,
    Point.EFFECT_AFTER_CREATE,
    Point.EFFECT_BEFORE_CONFIRM,
    Point.EFFECT_AFTER_CONFIRM,
    Point.EFFECT_BEFORE_OUTCOME,
    Point.EFFECT_BEFORE_REFUND,
    Point.EFFECT_AFTER_REFUND,
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card")) as one:
        yield one


async def month(shard: BillingShard, point: Point | None) -> None:
    """Pay, decline, give up, give back, dispute and charge twice, each with the fault at its first chance."""

    async def trouble() -> None:
        """Arm the fault for what comes next."""
        if point is not None:
            arm(point)

    async def rest() -> None:
        if point is not None:
            await shard.restart()
        await shard.idle(20)

    await trouble()
    plain = await shard.pay("plain")
    await rest()
    await trouble()
    await shard.pay("declined", "pm_card_visa_chargeDeclinedInsufficientFunds")
    await rest()
    asked = await shard.pay("asked", "pm_card_threeDSecure2Required")
    await eventually(lambda: "payment-action-required" in shard.kinds(asked), 8)
    await trouble()
    await cancel(shard, asked)
    await rest()
    await trouble()
    await refund(shard, plain, 2_500)
    await rest()
    lost = await shard.pay("lost")
    await shard.idle(20)
    await trouble()
    disputed = await dispute(shard, lost)
    await follow(shard, disputed)
    await shard.simulator.control("POST", f"disputes/{disputed}", {"outcome": "lost"})
    await follow(shard, disputed, "charge.dispute.closed")
    await rest()
    await shard.simulator.fault("confirm", "charge_twice")
    twice = await shard.pay("twice")
    await shard.idle(20)
    await trouble()
    (planned,) = [one for one in shard.of(AttemptPlanned) if one.payment_id == twice]
    names = {"account_id": planned.account_id, "attempt_id": planned.attempt_id}
    for charge in await shard.charges(twice):
        await told(shard, "charge.succeeded", charge["id"], **names)
    await rest()


def closing_totals(shard: BillingShard) -> dict[str, int]:
    """Return debits less credits per account code, as the ledger posts the shard's log."""
    states: dict[str, object] = {}
    totals: dict[str, int] = {}
    for row in shard.rows():
        fact = open_fact(row.data)
        handler = LEDGER.handlers.get(type(fact.event))
        stream = handler.stream(fact.event) if handler is not None else None
        if handler is None or stream is None or not stream.startswith("acc_"):
            continue
        kind = LEDGER.kind_of(stream)
        context = Context(
            tenant=fact.envelope.tenant,
            shard=0,
            root=root_of_record("billing", 0, row.position),
            recorded_at=shard.clock.now(),
            today=fact.envelope.effective_date,
            effective_date=fact.envelope.effective_date,
            actor=fact.envelope.actor,
            correlation=fact.envelope.correlation,
            cause=Cause(fact.envelope.event_id, f"billing.0.{row.position}", row.type),
        )
        state = states.get(stream) or kind.initial(stream)
        for event in handler.decide(fact.event, state, context):
            state = kind.evolve(state, event)
            assert not isinstance(event, LimitBroken), event
            if isinstance(event, EntryPosted):
                for one in event.postings:
                    sign = 1 if one.side == "D" else -1
                    totals[one.code] = totals.get(one.code, 0) + sign * one.amount_minor
        states[stream] = state
    return totals


async def test_a_month_with_a_fault_at_each_point_closes_with_the_same_totals(
    simulator: Simulator, tmp_path: Path
) -> None:
    closings: dict[str, dict[str, int]] = {}
    for number, point in enumerate([None, *POINTS]):
        async with billing_shard(simulator, f"{tmp_path.name}f{number}".replace("_", "")) as shard:
            await month(shard, point)
            closings["" if point is None else point.value] = closing_totals(shard)
        disarm_all()
    without = closings.pop("")
    assert without["1125"] > 0
    assert sum(without.values()) == 0
    assert closings == {point.value: without for point in POINTS}
