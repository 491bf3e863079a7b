"""What looks like a second click is held until somebody decides, or nobody has for too long."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.billing.domain import requests
from services.billing.domain.commands import ExpireHold
from services.billing.domain.policy import HOLD_TERM, SAME_PAYMENT_WITHIN
from shared.contracts.billing import AttemptPlanned, PaymentCancelled, PaymentHeld
from shared.contracts.event import Event, Method
from shared.contracts.gateway import PaymentCancellationRequested
from shared.instants import text_of
from tests.unit.billing.money_story import CHARGE, HELD, REQUEST, UNDER_WAY, changed, held, paid_by_card
from tests.unit.billing.story import (
    ACCOUNT,
    AT,
    DECLINE,
    NOTHING,
    PAY,
    PAYMENT,
    REGISTER,
    SETTLE,
    Story,
    context,
    given,
)

AGAIN = changed(PAY, payment_id=HELD)
OTHER_CARD = Method("card", "pm_other")
EXPIRE = ExpireHold(account_id=ACCOUNT, payment_id=HELD)
WITHDRAW = PaymentCancellationRequested(request_id=REQUEST, account_id=ACCOUNT, payment_id=HELD, received_at=AT)


def asked_after(wait: timedelta, **fields: Any) -> Event:
    """Return what comes of a payment asked for so long after the same one settled."""
    now = context()
    settle = msgspec.structs.replace(SETTLE, settled_at=text_of(now.recorded_at))
    state = given(*UNDER_WAY).when(settle).state
    later = msgspec.structs.replace(now, recorded_at=now.recorded_at + wait)
    (event,) = requests.plan_payment(changed(AGAIN, accept_credit=True, **fields), state, later)
    return event


def test_a_payment_beside_one_under_way_is_held_with_its_twin() -> None:
    (event,) = held().then()
    assert isinstance(event, PaymentHeld)
    assert (event.reason, event.twin_payment_id) == ("invoice_has_open_payment", PAYMENT)
    assert event.held_until == text_of(context().recorded_at + HOLD_TERM)


@pytest.mark.parametrize(
    ("policy_id", "other_policy_id", "kind"),
    [
        ("pol_1", "pol_2", "attempt-planned"),
        ("pol_1", "pol_1", "payment-held"),
        ("pol_1", None, "payment-held"),
        (None, "pol_1", "payment-held"),
    ],
)
def test_a_payment_of_another_policy_is_no_second_click(
    policy_id: str | None, other_policy_id: str | None, kind: str
) -> None:
    first = changed(PAY, policy_id=policy_id, amount_minor=1_000)
    second = changed(AGAIN, policy_id=other_policy_id, amount_minor=1_100)
    assert given(*UNDER_WAY[:2]).when(first).when(second).types() == [kind]


def test_the_same_payment_is_held_for_a_day_after_it_settled_and_no_moment_longer() -> None:
    event = asked_after(SAME_PAYMENT_WITHIN)
    assert isinstance(event, PaymentHeld)
    assert (event.reason, event.twin_payment_id) == ("same_payment_settled", PAYMENT)
    assert isinstance(asked_after(SAME_PAYMENT_WITHIN + timedelta(microseconds=1)), AttemptPlanned)


@pytest.mark.parametrize("fields", [{"method": OTHER_CARD}, {"amount_minor": 1_000}])
def test_another_card_or_amount_is_not_the_same_payment(fields: dict[str, Any]) -> None:
    assert isinstance(asked_after(timedelta(), **fields), AttemptPlanned)


def test_a_declined_payment_is_no_twin() -> None:
    assert given(*UNDER_WAY).when(DECLINE).when(AGAIN).types() == ["attempt-planned"]


def test_a_hold_comes_before_a_bill_that_is_paid() -> None:
    assert given(*paid_by_card()).when(AGAIN).types() == ["payment-held"]


def test_a_held_payment_asked_for_again_adds_nothing() -> None:
    assert held().when(AGAIN).then() == NOTHING


def test_charge_plans_it_as_it_was_asked_for() -> None:
    (planned,) = held().when(CHARGE).then()
    assert isinstance(planned, AttemptPlanned)
    assert (planned.payment_id, planned.request_id, planned.accepts_credit) == (HELD, REQUEST, True)
    assert (planned.method, planned.amount_minor) == (PAY.method, PAY.amount_minor)


def test_what_a_bill_does_not_need_of_a_charged_hold_is_credit_and_no_case() -> None:
    story = held().when(SETTLE, CHARGE)
    ids = {"payment_id": HELD, "attempt_id": "att_3_99"}
    register = changed(REGISTER, **ids, processor_ref="pi_2")
    settled = story.when(register, changed(SETTLE, **ids, processor_ref="pi_2", charge_ref="ch_2"))
    assert settled.types() == ["attempt-registered", "payment-settled", "payment-allocated"]
    assert settled.state.funds[HELD].unapplied_minor == PAY.amount_minor


ENDS: list[tuple[Any, str, str | None]] = [
    (changed(CHARGE, decision="cancel"), "cancelled_by_member", REQUEST),
    (WITHDRAW, "cancelled_by_member", REQUEST),
    (EXPIRE, "hold_expired", None),
]


@pytest.mark.parametrize(("end", "reason", "request_id"), ENDS)
def test_a_hold_ends_uncharged(end: Any, reason: str, request_id: str | None) -> None:
    (cancelled,) = held().when(end).then()
    assert isinstance(cancelled, PaymentCancelled)
    assert (cancelled.reason, cancelled.request_id, cancelled.registered) == (reason, request_id, False)


@pytest.mark.parametrize("end", [CHARGE, WITHDRAW])
def test_a_hold_that_was_decided_does_not_expire(end: Any) -> None:
    assert held().when(end).when(EXPIRE).then() == NOTHING


def test_a_wish_to_cancel_an_attempt_under_way_is_passed_on() -> None:
    story: Story = given(*UNDER_WAY).when(changed(WITHDRAW, payment_id=PAYMENT))
    assert story.types() == ["attempt-cancel-requested"]
    assert story.when(SETTLE).types() == ["payment-settled", "payment-allocated"]
