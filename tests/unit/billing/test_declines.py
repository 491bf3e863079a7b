"""The processor's many codes become few words of ours."""

import pytest

from services.billing.rails.declines import DeclineReason, reason_of, refusal_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds"}, DeclineReason.INSUFFICIENT_FUNDS),
        ({"code": "expired_card", "decline_code": "expired_card"}, DeclineReason.EXPIRED_CARD),
        ({"code": "card_declined", "decline_code": "fraudulent"}, DeclineReason.BLOCKED),
        ({"code": "card_declined", "decline_code": "do_not_honor"}, DeclineReason.GENERIC_DECLINE),
        ({"code": "incorrect_cvc", "decline_code": "something_new"}, DeclineReason.INCORRECT_CVC),
        ({"code": "incorrect_zip", "decline_code": "incorrect_zip"}, DeclineReason.ADDRESS_MISMATCH),
        ({"code": "card_declined", "decline_code": "incorrect_address"}, DeclineReason.ADDRESS_MISMATCH),
        ({"code": "payment_intent_authentication_failure"}, DeclineReason.AUTHENTICATION_FAILED),
        ({}, DeclineReason.GENERIC_DECLINE),
        (None, DeclineReason.GENERIC_DECLINE),
    ],
)
def test_a_decline_has_one_of_our_reasons(error: object, reason: DeclineReason) -> None:
    assert reason_of(error) is reason


def test_an_order_that_is_not_taken_says_why() -> None:
    assert refusal_of("resource_missing") is DeclineReason.INVALID_PAYMENT_METHOD
    assert refusal_of(None) is DeclineReason.PROCESSOR_REFUSED
