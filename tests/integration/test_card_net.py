"""What the processor's event list says alone, where every webhook is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.billing.effects.outbox import Outbox, Submitter
from services.billing.schedule import Net
from shared.contracts.billing import (
    ChargebackDebited,
    ChargebackDropped,
    ChargebackOpened,
    ChargebackWon,
    ChargeFound,
    DisputeTraced,
    PaymentSettled,
    RefundBounced,
    RefundCompleted,
)
from shared.contracts.event import Actor
from shared.eventlog.command import Answer, Submitted
from tests.integration.billing_shard import AMOUNT_MINOR, TENANT, BillingShard, billing_shard
from tests.integration.card_simulator import running
from tests.integration.card_story import deliver, dispute, kinds, refund, settled


@pytest_asyncio.fixture(loop_scope="session")
async def shard(tmp_path: Path) -> AsyncIterator[BillingShard]:
    async with running(tmp_path) as simulator, billing_shard(simulator, "s") as one:
        yield one


def net(shard: BillingShard, writer: Submitter) -> Net:
    """Return the net of a worker that has just begun."""
    outbox = Outbox(writer, Actor("system", "billing.schedule"))
    return Net(shard.worker.rail, outbox, TENANT, 0, 1, shard.worker.runner.has_ended)


async def read_events(shard: BillingShard) -> None:
    """Read the event list once, and wait for what comes of it."""
    before = len(shard.of(DisputeTraced))
    await net(shard, shard.worker.writer).tick(shard.clock.now())
    await shard.idle()
    await deliver(shard, before)
    await shard.idle()


class NobodyAsks:
    """A writer to whom nothing may come."""

    async def submit(self, submitted: Submitted) -> Answer:
        raise AssertionError(f"{submitted.command} is not needed")


async def test_a_quiet_day_costs_nothing(shard: BillingShard) -> None:
    for number in range(3):
        await shard.pay(f"p{number}")
    await shard.idle()
    assert len(shard.of(PaymentSettled)) == 3
    await net(shard, NobodyAsks()).tick(shard.clock.now())


async def test_a_second_charge_of_an_ended_attempt_is_found(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "charge_twice")
    payment = await shard.pay("a")
    await shard.idle()
    for _ in range(2):
        await read_events(shard)
    (found,) = shard.of(ChargeFound)
    (paid,) = shard.of(PaymentSettled)
    charges = {charge["id"] for charge in await shard.charges(payment)}
    assert charges == {found.charge_ref, paid.charge_ref}


async def test_a_dispute_is_followed_from_inquiry_to_its_end(shard: BillingShard) -> None:
    payment = await settled(shard)
    dispute_id = await dispute(shard, payment, inquiry=True)
    await read_events(shard)
    for outcome in ("chargeback", "won"):
        await shard.simulator.control("POST", f"disputes/{dispute_id}", {"outcome": outcome})
        await read_events(shard)
    assert kinds(shard, ChargebackOpened, ChargebackDebited, ChargebackWon, ChargebackDropped) == [
        "ChargebackOpened", "ChargebackDebited", "ChargebackWon",
    ]  # fmt: skip
    assert [one.stage for one in shard.of(ChargebackOpened)] == ["inquiry"]


async def test_a_refund_that_comes_back_is_heard_of(shard: BillingShard) -> None:
    payment = await settled(shard)
    await refund(shard, payment)
    await shard.idle()
    assert len(shard.of(RefundCompleted)) == 1
    (state,) = await shard.worker.rail.refunds_of(shard.of(PaymentSettled)[0].processor_ref)
    await shard.simulator.control("POST", f"refunds/{state.ref}", {"outcome": "failed"})
    for _ in range(2):
        await read_events(shard)
    (bounced,) = shard.of(RefundBounced)
    assert (bounced.refund_ref, bounced.amount_minor) == (state.ref, AMOUNT_MINOR)


async def test_what_was_heard_of_and_not_read_is_read_by_the_next_owner(shard: BillingShard) -> None:
    await shard.simulator.fault("confirm", "charge_twice")
    await shard.pay("a")
    await shard.idle()
    await shard.simulator.fault("charge_retrieve", "error_500", times=1_000)
    await net(shard, shard.worker.writer).tick(shard.clock.now())
    await shard.restart()
    await shard.simulator.control("DELETE", "faults")
    await shard.idle()
    assert len(shard.of(ChargeFound)) == 1
