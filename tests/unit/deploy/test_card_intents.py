"""The card simulator's PaymentIntent: which step is allowed in which state, and what each leaves behind."""

from itertools import count

import pytest
from msgspec import structs

from deploy.simulators.card import intents
from deploy.simulators.card.books import Terms
from deploy.simulators.card.cards import CARDS, Declines, declines
from deploy.simulators.card.intents import PLAIN, Confirm, Create, Twist
from deploy.simulators.card.objects import (
    BalanceTransaction,
    Charge,
    Decision,
    Dispute,
    FraudWarning,
    Intent,
    IntentStatus,
    Kept,
    Moment,
    Refusal,
    names,
)

TERMS = Terms()
SITE = "http://sim"
SAVED_KINDS = names("payment_intent charge balance_transaction dispute radar.early_fraud_warning")
DECLINING = sorted(token for token, card in CARDS.items() if isinstance(card.behaviour, Declines))


def moment(now: int = 1_000_000) -> Moment:
    numbers = count(1)
    return Moment(now, lambda prefix: f"{prefix}{next(numbers)}")


def given(status: IntentStatus, card: str | None = "pm_card_visa") -> Intent:
    return Intent(
        id="pi_1", amount=1250, client_secret="s", created=1, currency="usd", payment_method=card, status=status
    )


def unconfirmed(card: str = "pm_card_visa") -> Intent:
    return given(IntentStatus.REQUIRES_CONFIRMATION, card)


def confirm(intent: Intent, ask: Confirm | None = None, twist: Twist = PLAIN, terms: Terms = TERMS) -> Decision:
    return intents.confirm(intent, ask or Confirm(), twist, terms, SITE, moment())


def intent_of(decision: Decision) -> Intent:
    [intent] = [kept for kept in decision.saved if isinstance(kept, Intent)]
    return intent


def saved(decision: Decision, kind: type[Kept]) -> list[Kept]:
    return [kept for kept in decision.saved if isinstance(kept, kind)]


def kinds(decision: Decision) -> list[str]:
    return [happened.kind for happened in decision.happened]


def refusal(decision: Decision) -> Refusal:
    assert isinstance(decision.answer, Refusal)
    return decision.answer


def creation(token: str | None, confirmed: bool) -> Create:
    return Create(
        amount=1250,
        currency="usd",
        payment_method=token,
        customer=None,
        description=None,
        metadata={"payment_id": "pay_1"},
        receipt_email=None,
        setup_future_usage=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        automatic_payment_methods=False,
        confirm=Confirm() if confirmed else None,
    )


def test_an_unconfirmed_create_charges_nothing() -> None:
    made = intents.create(creation("pm_card_visa", confirmed=False), PLAIN, TERMS, SITE, moment())
    assert intent_of(made).status is IntentStatus.REQUIRES_CONFIRMATION
    assert kinds(made) == ["payment_intent.created"]


def test_a_create_without_card_waits_for_one() -> None:
    made = intents.create(creation(None, confirmed=False), PLAIN, TERMS, SITE, moment())
    assert intent_of(made).status is IntentStatus.REQUIRES_PAYMENT_METHOD


def test_a_confirmed_create_ends_as_a_confirm_does() -> None:
    made = intents.create(creation("pm_card_visa", confirmed=True), PLAIN, TERMS, SITE, moment())
    assert isinstance(made.answer, Intent)
    assert made.answer.status is IntentStatus.SUCCEEDED
    assert kinds(made) == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_a_paying_card_is_charged_whole() -> None:
    paid = confirm(unconfirmed())
    [charge] = saved(paid, Charge)
    intent = intent_of(paid)
    assert isinstance(charge, Charge)
    assert (charge.amount, charge.status, charge.payment_intent) == (1250, "succeeded", "pi_1")
    assert (intent.status, intent.amount_received, intent.latest_charge) == ("succeeded", 1250, charge.id)


def test_the_fee_is_taken_half_up_and_the_rest_is_net() -> None:
    [line] = saved(confirm(unconfirmed(), terms=Terms(fee_bps=290, fee_fixed_minor=30)), BalanceTransaction)
    assert isinstance(line, BalanceTransaction)
    assert (line.amount, line.fee, line.net) == (1250, 66, 1184)


@pytest.mark.parametrize("token", DECLINING)
def test_a_declining_card_leaves_the_intent_asking_for_another(token: str) -> None:
    declined = confirm(unconfirmed(token))
    intent, answer = intent_of(declined), refusal(declined)
    assert answer.status == 402
    assert answer.problem.payment_intent == intent
    assert (intent.status, intent.payment_method) == (IntentStatus.REQUIRES_PAYMENT_METHOD, None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == answer.problem.code
    assert kinds(declined) == ["charge.failed", "payment_intent.payment_failed"]


def test_a_reason_with_its_own_code_is_told_by_it() -> None:
    assert refusal(confirm(unconfirmed("pm_card_chargeDeclinedExpiredCard"))).problem.code == "expired_card"
    assert refusal(confirm(unconfirmed("pm_card_avsZipFail"))).problem.code == "incorrect_zip"
    problem = refusal(confirm(unconfirmed("pm_card_visa_chargeDeclinedInsufficientFunds"))).problem
    assert (problem.code, problem.decline_code) == ("card_declined", "insufficient_funds")


def test_a_fault_declines_any_card() -> None:
    declined = confirm(unconfirmed(), twist=Twist(decline=declines("lost_card")))
    assert refusal(declined).problem.decline_code == "lost_card"


def test_a_fault_charges_twice() -> None:
    paid = confirm(unconfirmed(), twist=Twist(charges=2))
    first, second = saved(paid, Charge)
    assert first.id != second.id
    assert len(saved(paid, BalanceTransaction)) == 2
    assert intent_of(paid).latest_charge == second.id
    assert kinds(paid) == ["charge.succeeded", "charge.succeeded", "payment_intent.succeeded"]


def test_a_charge_carries_the_intents_metadata() -> None:
    [charge] = saved(confirm(structs.replace(unconfirmed(), metadata={"payment_id": "pay_1"})), Charge)
    assert isinstance(charge, Charge)
    assert charge.metadata == {"payment_id": "pay_1"}


def test_a_card_that_asks_is_not_charged_before_the_answer() -> None:
    asked = confirm(unconfirmed("pm_card_authenticationRequired"), Confirm(return_url="http://back"))
    intent = intent_of(asked)
    assert intent.status is IntentStatus.REQUIRES_ACTION
    assert intent.next_action is not None
    assert intent.next_action["redirect_to_url"] == {
        "return_url": "http://back",
        "url": "http://sim/_sim/authenticate/pi_1",
    }
    assert not saved(asked, Charge)


def test_a_card_that_asks_declines_without_its_holder() -> None:
    declined = confirm(unconfirmed("pm_card_authenticationRequired"), Confirm(off_session=True))
    assert refusal(declined).problem.code == "authentication_required"


def test_passing_authentication_charges_and_failing_it_does_not() -> None:
    asking = given(IntentStatus.REQUIRES_ACTION, "pm_card_authenticationRequired")
    assert intent_of(intents.authenticate(asking, True, TERMS, moment())).status is IntentStatus.SUCCEEDED
    failed = intents.authenticate(asking, False, TERMS, moment())
    assert not saved(failed, Charge)
    assert refusal(failed).problem.code == "payment_intent_authentication_failure"
    assert intent_of(failed).status is IntentStatus.REQUIRES_PAYMENT_METHOD


def test_a_passed_authentication_can_still_be_declined() -> None:
    token = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    declined = intents.authenticate(given(IntentStatus.REQUIRES_ACTION, token), True, TERMS, moment())
    assert refusal(declined).problem.decline_code == "insufficient_funds"


def test_only_an_asking_intent_can_be_authenticated() -> None:
    assert refusal(intents.authenticate(unconfirmed(), True, TERMS, moment())).status == 400


def test_a_processing_intent_is_charged_when_it_settles() -> None:
    waiting = confirm(unconfirmed(), twist=Twist(processing_s=9))
    assert not saved(waiting, Charge)
    assert [timer.wait_s for timer in waiting.timers] == [9]
    settled = intents.settle(intent_of(waiting), TERMS, moment())
    assert intent_of(settled).status is IntentStatus.SUCCEEDED
    assert intents.settle(intent_of(settled), TERMS, moment()).saved == ()


@pytest.mark.parametrize("status", [IntentStatus.SUCCEEDED, IntentStatus.CANCELED, IntentStatus.PROCESSING])
def test_an_intent_past_confirming_is_charged_no_more_and_not_cancelled(status: IntentStatus) -> None:
    for decision in (confirm(given(status)), intents.cancel(given(status), None, moment())):
        assert refusal(decision).status == 400
        assert refusal(decision).problem.code == "payment_intent_unexpected_state"
        assert (decision.saved, decision.happened, decision.tried) == ((), (), None)


def test_a_confirm_without_card_is_refused() -> None:
    refused = confirm(given(IntentStatus.REQUIRES_PAYMENT_METHOD, None))
    assert refusal(refused).problem.code == "payment_intent_unexpected_state"


def test_a_declined_intent_pays_with_another_card() -> None:
    declined = intent_of(confirm(unconfirmed("pm_card_visa_chargeDeclined")))
    paid = intent_of(confirm(declined, Confirm(payment_method="pm_card_mastercard")))
    assert (paid.status, paid.last_payment_error) == (IntentStatus.SUCCEEDED, None)


@pytest.mark.parametrize(
    "status",
    [IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION, IntentStatus.REQUIRES_ACTION],
)
def test_an_intent_that_has_not_charged_can_be_cancelled(status: IntentStatus) -> None:
    gone = intents.cancel(given(status), "abandoned", moment(77))
    intent = intent_of(gone)
    assert (intent.status, intent.canceled_at, intent.cancellation_reason) == (IntentStatus.CANCELED, 77, "abandoned")
    assert kinds(gone) == ["payment_intent.canceled"]


def test_cards_that_bring_trouble_bring_it_with_the_charge() -> None:
    disputed = confirm(unconfirmed("pm_card_createMultipleDisputes"))
    assert len(saved(disputed, Dispute)) == 2
    assert kinds(disputed).count("charge.dispute.created") == 2
    assert saved(confirm(unconfirmed("pm_card_createIssuerFraudRecord")), FraudWarning)
    assert intent_of(confirm(unconfirmed("pm_card_riskLevelElevated"))).review is not None


def test_an_inquiry_moves_no_money() -> None:
    asked = confirm(unconfirmed("pm_card_createDisputeInquiry"))
    assert len(saved(asked, BalanceTransaction)) == 1


def test_what_is_saved_has_a_kind_that_the_store_knows() -> None:
    for token in CARDS:
        assert {kept.object for kept in confirm(unconfirmed(token)).saved} <= SAVED_KINDS


def test_an_intent_is_never_edited_in_place() -> None:
    before = unconfirmed()
    confirm(before)
    assert before == structs.replace(unconfirmed())
