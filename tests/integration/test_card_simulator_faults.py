"""The card simulator's faults and webhooks, each as a caller meets it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import stripe

from deploy.simulators.card.settings import DEFAULT_EVENTS
from tests.integration.card_simulator import Receiver, Simulator, eventually, receiving, running

ENABLED = [kind for kind in DEFAULT_EVENTS if kind != "charge.succeeded"]
"""So that a payment sends one webhook."""


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as taking:
        yield taking


@pytest.fixture(scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card"), receiver.url) as simulator:
        yield simulator


@pytest.fixture
async def sim(started: Simulator, receiver: Receiver) -> Simulator:
    """Return the simulator with no fault pending and all webhooks sent."""
    await started.control("DELETE", "faults")
    await started.control("POST", "settings", {"refund_delay_s": 60, "enabled_events": ENABLED})
    await quiet(started)
    receiver.bodies.clear()
    receiver.answers.clear()
    return started


@pytest.fixture
def payment() -> str:
    return f"pay_7_{uuid4().hex}"


async def quiet(sim: Simulator) -> None:
    async def sent() -> bool:
        return bool((await sim.control("GET", "webhooks"))["waiting"] == 0)

    await eventually(sent, 10)


async def status_of(sim: Simulator, intent_id: str) -> str:
    return (await sim.stripe.v1.payment_intents.retrieve_async(intent_id)).status


async def test_a_lost_answer_did_the_work(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    await sim.fault("confirm", "answer_lost", match={"metadata.payment_id": payment})
    with pytest.raises(stripe.APIConnectionError):
        await sim.confirm(intent.id, key=f"k-{payment}")
    assert await status_of(sim, intent.id) == "succeeded"
    assert (await sim.confirm(intent.id, key=f"k-{payment}")).status == "succeeded"
    assert len(await sim.charges(payment)) == 1


async def test_a_lost_request_did_nothing(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    await sim.fault("confirm", "request_lost")
    with pytest.raises(stripe.APIConnectionError):
        await sim.confirm(intent.id)
    assert await status_of(sim, intent.id) == "requires_confirmation"


async def test_a_held_call_is_executed_later_on_the_stacks_clock(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    await sim.fault("confirm", "hold:600", match={"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.APIConnectionError):
        await sim.confirm(intent.id)
    assert await status_of(sim, intent.id) == "requires_confirmation"
    sim.advance(601)

    async def charged() -> bool:
        return await status_of(sim, intent.id) == "succeeded"

    await eventually(charged)


async def test_a_held_confirm_cannot_charge_a_cancelled_intent(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    await sim.fault("confirm", "hold:0.3")
    with pytest.raises(stripe.APIConnectionError):
        await sim.confirm(intent.id)
    await sim.stripe.v1.payment_intents.cancel_async(intent.id)
    await asyncio.sleep(0.8)
    assert await status_of(sim, intent.id) == "canceled"
    assert await sim.charges(payment) == []


async def test_a_500_is_kept_under_its_key_with_or_without_the_work(sim: Simulator, payment: str) -> None:
    for fault, status in (("error_500", "requires_confirmation"), ("error_500_after", "succeeded")):
        intent = await sim.create(payment)
        await sim.fault("confirm", fault)
        for _ in range(2):
            with pytest.raises(stripe.APIError) as caught:
                await sim.confirm(intent.id, key=f"{fault}-{payment}")
            assert caught.value.http_status == 500
        assert await status_of(sim, intent.id) == status


async def test_a_slow_call_holds_its_key(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    await sim.fault("confirm", "slow:0.5")
    slow = asyncio.create_task(sim.confirm(intent.id, key=f"k-{payment}"))
    await asyncio.sleep(0.2)
    with pytest.raises(stripe.APIError) as caught:
        await sim.confirm(intent.id, key=f"k-{payment}")
    assert caught.value.http_status == 409
    assert (await slow).status == "succeeded"


async def test_a_fault_declines_charges_twice_or_leaves_it_processing(sim: Simulator, payment: str) -> None:
    declined, twice, waiting = [await sim.create(payment) for _ in range(3)]
    await sim.fault("confirm", "declined:stolen_card", match={"id": declined.id})
    await sim.fault("confirm", "charge_twice", match={"id": twice.id})
    await sim.fault("confirm", "processing:60", match={"id": waiting.id})
    with pytest.raises(stripe.CardError):
        await sim.confirm(declined.id)
    assert (await sim.confirm(twice.id)).status == "succeeded"
    assert (await sim.confirm(waiting.id)).status == "processing"
    charged = [each for each in await sim.charges(payment) if each["status"] == "succeeded"]
    assert [each["intent"] for each in charged] == [twice.id, twice.id]
    sim.advance(61)

    async def settled() -> bool:
        return await status_of(sim, waiting.id) == "succeeded"

    await eventually(settled)


async def test_a_double_charge_is_told_and_booked_twice(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path, receiver.url) as sim:
        await sim.fault("confirm", "charge_twice")
        paid = await sim.confirm((await sim.create("pay_1")).id)
        await quiet(sim)
        told = [event.data.object for event in receiver.events() if event.type == "charge.succeeded"]
        assert [charge["metadata"]["payment_id"] for charge in told] == ["pay_1", "pay_1"]
        charges = (await sim.stripe.v1.charges.list_async({"payment_intent": paid.id})).data
        assert {charge["id"] for charge in told} == {charge.id for charge in charges}
        lines = (await sim.stripe.v1.balance_transactions.list_async({"type": "charge"})).data
        assert sorted(str(line.source) for line in lines) == sorted(charge.id for charge in charges)


async def test_faults_are_counted_listed_kept_and_cleared(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        await sim.fault("create", "error_500", times=2)
        with pytest.raises(stripe.APIError):
            await sim.create("pay_1")
        await sim.stop()
        await sim.start()
        [pending] = (await sim.control("GET", "faults"))["data"]
        assert (pending["call"], pending["fault"], pending["left"]) == ("create", "error_500", 1)
        assert await sim.control("DELETE", "faults") == {"cleared": 1}
        assert (await sim.create("pay_1")).status == "requires_confirmation"


async def test_an_unknown_fault_is_refused_with_a_sentence(sim: Simulator) -> None:
    told = await sim.control("POST", "faults", {"call": "confirm", "fault": "explode"}, 400)
    assert told["error"].startswith("unknown fault 'explode'; faults are ")


async def test_a_payment_is_told_by_a_signed_webhook(sim: Simulator, receiver: Receiver, payment: str) -> None:
    intent = await sim.create(payment, confirm=True)
    await quiet(sim)
    [event] = receiver.events()
    assert (event.type, event.data.object["id"]) == ("payment_intent.succeeded", intent.id)
    fetched = await sim.stripe.v1.events.retrieve_async(event.id)
    assert fetched.data.object["metadata"]["payment_id"] == payment
    listed = await sim.stripe.v1.events.list_async({"types": ["payment_intent.succeeded"], "limit": 1})
    assert listed.data[0].id == event.id


async def test_a_refused_webhook_comes_again(sim: Simulator, receiver: Receiver, payment: str) -> None:
    receiver.answers += [500, 503]
    await sim.create(payment, confirm=True)
    await asyncio.sleep(0.1)
    assert receiver.bodies == []
    sim.advance(3)
    await quiet(sim)
    assert receiver.kinds() == ["payment_intent.succeeded"]


async def test_webhooks_are_lost_doubled_late_and_reordered_on_request(
    sim: Simulator, receiver: Receiver, payment: str
) -> None:
    for fault in ("lost", "twice", "late:60", "out_of_order"):
        await sim.fault("webhook", fault, match={"metadata.payment_id": f"{payment}-{fault[:4]}"})
    ids = {}
    for fault in ("lost", "twic", "late", "out_"):
        ids[fault] = (await sim.create(f"{payment}-{fault}", confirm=True)).id
    last = (await sim.create(payment, confirm=True)).id
    await eventually(lambda: len(receiver.bodies) == 4)
    got = [event.data.object["id"] for event in receiver.events()]
    assert got.count(ids["twic"]) == 2
    assert got.index(last) < got.index(ids["out_"])
    sim.advance(61)
    await quiet(sim)
    assert receiver.events()[-1].data.object["id"] == ids["late"]
    assert len(receiver.bodies) == 5


async def test_webhooks_wait_for_a_receiver_and_survive_a_restart(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path, receiver.url) as sim:
        await sim.control("POST", "settings", {"enabled_events": ENABLED})
        receiver.answers += [500] * 3
        await sim.create("pay_1", confirm=True)
        await eventually(lambda: receiver.tried >= 1)
        await sim.stop()
        receiver.answers.clear()
        sim.advance(100)
        await sim.start()
        await quiet(sim)
        assert receiver.kinds() == ["payment_intent.succeeded"]


async def test_a_webhook_is_given_up_after_three_days(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path, receiver.url) as sim:
        await sim.control("POST", "settings", {"enabled_events": ENABLED})
        receiver.answers += [500] * 100
        await sim.create("pay_1", confirm=True)
        await eventually(lambda: receiver.tried == 1)
        sim.advance(3 * 86_400 - 60)
        await eventually(lambda: receiver.tried == 2)
        assert (await sim.control("GET", "webhooks"))["waiting"] == 1
        sim.advance(86_400)
        await quiet(sim)
        assert receiver.bodies == []


async def test_a_call_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        intent = await sim.create("pay_1")
        await sim.fault("confirm", "slow:0.4")
        slow = asyncio.create_task(sim.confirm(intent.id))
        await asyncio.sleep(0.15)
        assert await sim.stop() == 0
        assert (await slow).status == "succeeded"


async def test_only_enabled_kinds_are_sent(tmp_path: Path) -> None:
    async with receiving() as receiver, running(tmp_path, receiver.url) as sim:
        await sim.control("POST", "settings", {"enabled_events": ["charge.*"]})
        await sim.create("pay_1", confirm=True)
        await quiet(sim)
        assert receiver.kinds() == ["charge.succeeded"]


async def test_refunds_that_pend_or_fail_tell_so_later(sim: Simulator, receiver: Receiver, payment: str) -> None:
    refunds = sim.stripe.v1.refunds
    made = []
    for card in ("pm_card_pendingRefund", "pm_card_refundFail"):
        intent = await sim.create(payment, card, confirm=True)
        made.append(await refunds.create_async({"payment_intent": intent.id}))
    assert [refund.status for refund in made] == ["pending", "succeeded"]
    sim.advance(61)

    async def ended() -> bool:
        return [(await refunds.retrieve_async(refund.id)).status for refund in made] == ["succeeded", "failed"]

    await eventually(ended)
    await quiet(sim)
    assert {"refund.updated", "refund.failed", "charge.refunded"} <= set(receiver.kinds())


async def test_a_connection_is_cut_without_a_byte(sim: Simulator) -> None:
    """The client library repeats a GET once by itself, hence two."""
    await sim.fault("balance", "request_lost", times=2)
    async with aiohttp.ClientSession() as fresh:
        with pytest.raises(aiohttp.ClientError):
            await fresh.get(f"{sim.url}/v1/balance", headers={"Authorization": "Bearer sk_test_piperoll_local"})
