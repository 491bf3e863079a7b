"""The card simulator as the official SDK sees it: calls, lists, errors, idempotency keys, durability."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import stripe

from tests.integration.card_simulator import KEY, Simulator, eventually, running


@pytest.fixture(scope="module")
async def sim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(tmp_path_factory.mktemp("card")) as started:
        yield started


@pytest.fixture
def payment() -> str:
    return f"pay_7_{uuid4().hex}"


async def test_a_registered_intent_is_charged_when_confirmed(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    assert intent.status == "requires_confirmation"
    assert await sim.charges(payment) == []
    paid = await sim.confirm(intent.id)
    assert (paid.status, paid.amount_received, paid.metadata["payment_id"]) == ("succeeded", 1250, payment)
    assert (await sim.stripe.v1.payment_intents.retrieve_async(intent.id)).status == "succeeded"
    [charge] = await sim.charges(payment)
    assert (charge["intent"], charge["amount"], charge["status"]) == (intent.id, 1250, "succeeded")


async def test_an_intent_is_charged_once_however_often_it_is_confirmed(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment)
    answers = await asyncio.gather(*(sim.confirm(intent.id) for _ in range(8)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, stripe.InvalidRequestError)]
    assert len(refused) == 7
    assert {error.code for error in refused} == {"payment_intent_unexpected_state"}
    assert len(await sim.charges(payment)) == 1
    [shown] = (await sim.control("GET", f"intents?payment_id={payment}"))["data"]
    assert shown["confirmed"] == 1


async def test_a_decline_is_a_card_error_with_the_intent_in_it(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment, "pm_card_visa_chargeDeclinedInsufficientFunds")
    with pytest.raises(stripe.CardError) as caught:
        await sim.confirm(intent.id)
    error = caught.value.error
    assert caught.value.http_status == 402
    assert error is not None
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    after = await sim.stripe.v1.payment_intents.retrieve_async(intent.id)
    assert after.last_payment_error is not None
    assert after.last_payment_error.decline_code == "insufficient_funds"


async def test_a_cancelled_intent_never_charges_and_a_charged_one_is_not_cancelled(
    sim: Simulator, payment: str
) -> None:
    intents = sim.stripe.v1.payment_intents
    gone = await intents.cancel_async((await sim.create(payment)).id, {"cancellation_reason": "abandoned"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    paid = await sim.create(payment, confirm=True)
    for call in (sim.confirm(gone.id), intents.cancel_async(paid.id)):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await call
        assert (caught.value.http_status, caught.value.code) == (400, "payment_intent_unexpected_state")


async def test_three_d_secure_is_passed_or_failed_at_the_page(sim: Simulator, payment: str) -> None:
    for outcome, status in (("complete", "succeeded"), ("fail", "requires_payment_method")):
        intent = await sim.create(payment, "pm_card_authenticationRequired")
        asked = await sim.confirm(intent.id, return_url="http://localhost/back?a=1")
        assert asked.next_action is not None
        assert asked.next_action.redirect_to_url is not None
        url = asked.next_action.redirect_to_url.url
        assert url is not None
        async with sim.http.get(url) as page:
            assert "<form" in await page.text()
        async with sim.http.post(url, data={"outcome": outcome}, allow_redirects=False) as done:
            assert done.status == 303
            assert done.headers["Location"].startswith(f"http://localhost/back?a=1&payment_intent={intent.id}")
        assert (await sim.stripe.v1.payment_intents.retrieve_async(intent.id)).status == status


async def test_lists_are_newest_first_and_paged_both_ways(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        made = [(await sim.create(f"pay_{number}")).id for number in range(5)]
        made.reverse()
        intents = sim.stripe.v1.payment_intents
        first = await intents.list_async({"limit": 2})
        assert ([each.id for each in first.data], first.has_more) == (made[:2], True)
        rest = await intents.list_async({"limit": 3, "starting_after": made[1]})
        assert ([each.id for each in rest.data], rest.has_more) == (made[2:], False)
        back = await intents.list_async({"limit": 2, "ending_before": made[3]})
        assert ([each.id for each in back.data], back.has_more) == (made[1:3], True)
        assert [each.id async for each in first.auto_paging_iter()] == made


async def test_lists_are_narrowed_by_time(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        early = await sim.create("pay_1", confirm=True)
        sim.advance(3_600)
        late = await sim.create("pay_2", confirm=True)
        assert 3_590 <= late.created - early.created <= 3_620
        for family in (sim.stripe.v1.payment_intents, sim.stripe.v1.balance_transactions):
            found: Any = await family.list_async({"created": {"gte": late.created}})
            assert len(found.data) == 1
            found = await family.list_async({"created": {"lt": late.created}})
            assert len(found.data) == 1


async def test_the_books_carry_fee_and_net_and_can_be_expanded(tmp_path: Path) -> None:
    async with running(tmp_path, None, "--fee-bps", "290", "--fee-fixed", "30") as sim:
        await sim.create("pay_1", confirm=True)
        intents = await sim.stripe.v1.payment_intents.list_async({"expand": ["data.latest_charge.balance_transaction"]})
        charge = intents.data[0].latest_charge
        assert isinstance(charge, stripe.Charge)
        line = charge.balance_transaction
        assert isinstance(line, stripe.BalanceTransaction)
        assert (line.amount, line.fee, line.net, line.status) == (1250, 66, 1184, "pending")
        balance = await sim.stripe.v1.balance.retrieve_async()
        assert [(part.amount, part.currency) for part in balance.pending] == [(1184, "usd")]
        sim.advance(3 * 86_400)
        lines = await sim.stripe.v1.balance_transactions.list_async({"source": charge.id})
        assert [each.status for each in lines.data] == ["available"]
        assert (await sim.stripe.v1.payouts.list_async()).data == []


async def test_refunds_are_made_whole_or_in_part_and_listed_by_intent(sim: Simulator, payment: str) -> None:
    intent = await sim.create(payment, confirm=True)
    refunds = sim.stripe.v1.refunds
    part = await refunds.create_async(
        {"payment_intent": intent.id, "amount": 250, "reason": "duplicate", "metadata": {"refund_id": "ref_1"}}
    )
    rest = await refunds.create_async({"payment_intent": intent.id})
    assert (part.status, part.amount, rest.amount) == ("succeeded", 250, 1000)
    listed = await refunds.list_async({"payment_intent": intent.id, "expand": ["data.balance_transaction"]})
    assert [each.id for each in listed.data] == [rest.id, part.id]
    assert listed.data[1].metadata is not None
    assert listed.data[1].metadata["refund_id"] == "ref_1"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await refunds.create_async({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    [charge] = await sim.charges(payment)
    assert charge["amount_refunded"] == 1250


async def test_a_dispute_is_opened_on_request_and_decided_by_evidence(sim: Simulator, payment: str) -> None:
    await sim.create(payment, confirm=True)
    [charge] = await sim.charges(payment)
    opened = await sim.control("POST", "disputes", {"charge": charge["id"], "reason": "product_not_received"})
    disputes = sim.stripe.v1.disputes
    assert [each.id for each in (await disputes.list_async({"charge": charge["id"]})).data] == [opened["id"]]
    won = await disputes.update_async(opened["id"], {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert won.status == "won"
    assert [line.amount for line in won.balance_transactions] == [-1250, 1250]


async def test_errors_have_the_status_and_type_of_the_processor(sim: Simulator, payment: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await sim.stripe.v1.payment_intents.retrieve_async("pi_none")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        await sim.create(payment, nonsense="1")
    assert (unknown.value.http_status, unknown.value.code) == (400, "parameter_unknown")
    stranger = stripe.StripeClient("sk_test_other", base_addresses={"api": sim.url}, http_client=sim.sdk_http)
    with pytest.raises(stripe.AuthenticationError):
        await stranger.v1.payment_intents.list_async()
    await sim.fault("list", "error_429")
    with pytest.raises(stripe.RateLimitError):
        await sim.stripe.v1.payment_intents.list_async()


async def test_a_key_gives_back_its_first_answer_refusals_too(sim: Simulator, payment: str) -> None:
    first, again = await sim.create(payment, key=f"c-{payment}"), await sim.create(payment, key=f"c-{payment}")
    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    intent = await sim.create(payment, "pm_card_visa_chargeDeclined")
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await sim.confirm(intent.id, key=f"k-{payment}")
    [_, declined] = sorted((await sim.control("GET", f"intents?payment_id={payment}"))["data"], key=_confirmed)
    assert declined["confirmed"] == 1


def _confirmed(shown: dict[str, Any]) -> int:
    return int(shown["confirmed"])


async def test_a_key_with_other_parameters_is_refused(sim: Simulator, payment: str) -> None:
    await sim.create(payment, key=f"c-{payment}")
    with pytest.raises(stripe.IdempotencyError) as caught:
        await sim.create(payment, key=f"c-{payment}", amount=1300)
    assert caught.value.http_status == 400


async def test_a_key_is_not_kept_when_validation_failed(sim: Simulator, payment: str) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await sim.create(payment, key=f"c-{payment}", amount=0)
    assert (await sim.create(payment, key=f"c-{payment}")).status == "requires_confirmation"


async def test_a_key_is_forgotten_after_a_day(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        first = await sim.create("pay_1", key="c-1")
        sim.advance(23 * 3_600)
        assert (await sim.create("pay_1", key="c-1")).id == first.id
        sim.advance(2 * 3_600)
        assert (await sim.create("pay_1", key="c-1")).id != first.id


async def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    acknowledged: list[str] = []

    async def pay(sim: Simulator, caller: int) -> None:
        for number in range(1_000):
            try:
                intent = await sim.create(f"pay_{caller}_{number}")
                acknowledged.append((await sim.confirm(intent.id)).id)
            except (stripe.APIConnectionError, aiohttp.ClientError):  # the latter: cut in the middle of an answer
                return

    async with running(tmp_path) as sim:
        paying = asyncio.gather(*(pay(sim, caller) for caller in range(8)))
        await eventually(lambda: len(acknowledged) >= 150, 20)
        await sim.stop(signal.SIGKILL)
        await paying
        await sim.start()
        kept = {each["id"]: each for each in (await sim.control("GET", "intents"))["data"]}
        assert {kept[intent_id]["status"] for intent_id in acknowledged} == {"succeeded"}
        charged = [each["intent"] for each in (await sim.control("GET", "charges"))["data"]]
        assert len(charged) == len(set(charged)) >= len(acknowledged)


async def test_sigterm_ends_it_with_zero_and_a_start_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as sim:
        intent = await sim.create("pay_1")
        assert await sim.stop() == 0
        await sim.start()
        assert (await sim.confirm(intent.id)).status == "succeeded"


def test_the_key_of_the_tests_is_no_live_key() -> None:
    assert KEY.startswith("sk_test_")
