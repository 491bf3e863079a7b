"""What becomes of an attempt: each outcome once, in whatever order and however often it is told."""

from typing import Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.billing.domain.bills import Invoice, InvoiceLine, allocate_in_order
from services.billing.domain.commands import NudgeAttempt
from services.billing.domain.payments import Cancelled, Declined, Settled
from shared.contracts.billing import (
    AttemptNudged,
    AttemptRegistered,
    ChargeFound,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
)
from shared.contracts.gateway import WebhookReceived
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_MEMBER,
    AT,
    ATTEMPT,
    CANCEL,
    DECLINE,
    DUE_MINOR,
    FIND,
    INVOICE,
    ISSUED,
    LOSE,
    NOTHING,
    OPENED,
    PAYMENT,
    PLANNED,
    REF,
    REGISTER,
    REGISTERED,
    SETTLE,
    given,
    reread,
)

BEFORE = (OPENED, ISSUED, PLANNED)
UNDER_WAY = (*BEFORE, REGISTERED)
OTHER_NAME = msgspec.structs.replace(REGISTER, processor_ref="pi_2")
OTHER_CHARGE = msgspec.structs.replace(SETTLE, charge_ref="ch_9")
OTHER_SETTLE = msgspec.structs.replace(SETTLE, processor_ref="pi_2", charge_ref="ch_2")


def webhook(kind: str, object_id: str) -> WebhookReceived:
    return WebhookReceived(
        provider="card", provider_event_id="evt_1", kind=kind, object_id=object_id, body_sha256="",
        account_id=ACCOUNT, attempt_id=ATTEMPT, received_at=AT,
    )  # fmt: skip


def test_an_attempt_is_registered_under_its_first_name_only() -> None:
    assert given(*BEFORE).when(REGISTER, OTHER_NAME, REGISTER).then() == (REGISTERED,)


def test_a_settled_payment_is_allocated_in_the_same_decision() -> None:
    settled, allocated = given(*UNDER_WAY).when(SETTLE).then()
    assert isinstance(settled, PaymentSettled)
    assert (settled.amount_minor, settled.charge_ref, settled.settled_on) == (DUE_MINOR, "ch_1", "2026-03-01")
    assert isinstance(allocated, PaymentAllocated)
    assert [(part.policy_id, part.amount_minor) for part in allocated.allocations] == [
        ("pol_1", 30_000),
        ("pol_2", 1_250),
    ]
    assert allocated.unapplied_minor == 0


def test_a_settled_payment_pays_its_bill_and_shrinks_to_a_summary() -> None:
    state = given(*UNDER_WAY).when(SETTLE).state
    assert state.invoices[INVOICE].due_minor == 0
    assert state.invoices[INVOICE].open_payments == ()
    assert isinstance(state.payments[PAYMENT], Settled)


@pytest.mark.parametrize("outcome", [SETTLE, DECLINE, CANCEL, LOSE, ASK_MEMBER, FIND])
def test_a_repeated_outcome_adds_nothing(outcome: Any) -> None:
    once = given(*UNDER_WAY).when(outcome)
    assert once.then() != NOTHING
    assert once.when(outcome).then() == NOTHING


def test_a_decline_tells_whether_the_ledger_has_an_entry_to_undo() -> None:
    registered, not_registered = given(*UNDER_WAY).when(DECLINE).then(), given(*BEFORE).when(DECLINE).then()
    assert [event.registered for event in registered + not_registered if isinstance(event, PaymentDeclined)] == [
        True,
        False,
    ]


def test_a_timeout_before_registration_ends_the_payment() -> None:
    (cancelled,) = given(*BEFORE).when(CANCEL).then()
    assert isinstance(cancelled, PaymentCancelled)
    assert not cancelled.registered


def test_a_name_that_comes_after_the_end_adds_nothing() -> None:
    assert given(*BEFORE).when(CANCEL, REGISTER).types() == ["payment-cancelled"]


@pytest.mark.parametrize("end", [DECLINE, CANCEL])
def test_a_success_after_the_end_is_a_case(end: Any) -> None:
    story = given(*UNDER_WAY).when(end).when(SETTLE, SETTLE)
    assert story.types() == ["charge-found", "duplicate-case-opened"]
    assert isinstance(story.state.payments[PAYMENT], Declined | Cancelled)


def test_a_second_charge_after_settlement_is_a_case_once() -> None:
    assert given(*UNDER_WAY).when(SETTLE, OTHER_CHARGE, OTHER_CHARGE).types() == [
        "payment-settled", "payment-allocated", "charge-found", "duplicate-case-opened",
    ]  # fmt: skip


def test_a_success_under_another_name_is_a_case_and_the_attempt_goes_on() -> None:
    assert given(*UNDER_WAY).when(OTHER_SETTLE, FIND, SETTLE).types() == [
        "charge-found", "duplicate-case-opened", "payment-settled", "payment-allocated",
    ]  # fmt: skip


def test_a_case_has_an_id_of_the_households_shard() -> None:
    found, _ = given(*UNDER_WAY).when(FIND).then()
    assert isinstance(found, ChargeFound)
    assert found.case_id.startswith("case_3_")


def test_an_unknown_attempt_still_settles_and_still_asks_the_member() -> None:
    assert given(*UNDER_WAY).when(LOSE, ASK_MEMBER, LOSE, SETTLE).types() == [
        "payment-unknown", "payment-action-required", "payment-unknown", "payment-settled", "payment-allocated",
    ]  # fmt: skip


def test_an_attempt_without_a_name_asks_nothing_of_the_member() -> None:
    assert given(*BEFORE).when(ASK_MEMBER).then() == NOTHING


def test_an_outcome_without_its_intent_raises() -> None:
    with pytest.raises(LookupError):
        given(OPENED).when(SETTLE)


def test_a_webhook_nudges_an_open_registered_attempt() -> None:
    for facts in (UNDER_WAY, given(*UNDER_WAY).when(LOSE).facts):
        assert given(*facts).when(webhook("payment_intent.succeeded", REF)).types() == ["attempt-nudged"]


def test_a_webhook_for_an_attempt_without_a_name_adds_nothing() -> None:
    assert given(*BEFORE).when(webhook("payment_intent.created", REF)).then() == NOTHING


def test_a_webhook_for_a_final_attempt_adds_nothing() -> None:
    story = given(*UNDER_WAY).when(SETTLE)
    assert story.when(webhook("payment_intent.succeeded", REF), webhook("charge.succeeded", "ch_1")).then() == NOTHING


def test_a_webhook_for_a_strange_intent_of_a_final_attempt_has_it_read() -> None:
    nudge = NudgeAttempt(account_id=ACCOUNT, attempt_id=ATTEMPT, kind="payment_intent.succeeded", object_id="pi_2")
    story = given(*UNDER_WAY).when(SETTLE).when(webhook("payment_intent.succeeded", "pi_2"), nudge)
    assert [event.object_id for event in story.then()] == ["pi_2", "pi_2"]  # type: ignore[attr-defined]


def test_a_webhook_for_a_strange_attempt_adds_nothing() -> None:
    assert given(OPENED).when(webhook("payment_intent.succeeded", REF)).then() == NOTHING


OUTCOMES = [REGISTER, OTHER_NAME, SETTLE, OTHER_CHARGE, OTHER_SETTLE, DECLINE, CANCEL, LOSE, ASK_MEMBER, FIND]


@settings(max_examples=300)
@for_all(st.lists(st.sampled_from(OUTCOMES), max_size=12))
def test_no_order_of_outcomes_ends_an_attempt_twice(told: list[Any]) -> None:
    story = given(*BEFORE).when(*told)
    ends = [e for e in story.then() if isinstance(e, PaymentSettled | PaymentDeclined | PaymentCancelled)]
    names = [e for e in story.then() if isinstance(e, AttemptRegistered)]
    charges = [e.charge_ref for e in story.then() if isinstance(e, PaymentSettled | ChargeFound)]
    assert len(ends) <= 1
    assert len(names) <= 1
    assert len(charges) == len(set(charges))
    assert sum(isinstance(e, PaymentAllocated) for e in story.then()) == sum(
        isinstance(e, PaymentSettled) for e in ends
    )
    assert reread(story.state) == story.state


shares = st.lists(st.integers(-5_000, 50_000), min_size=1, max_size=6)


@for_all(st.integers(1, 200_000), shares)
def test_an_allocation_conserves_and_never_overpays_a_line(amount_minor: int, due: list[int]) -> None:
    lines = tuple(
        InvoiceLine(policy_id=f"pol_{i}", coverage_month="2026-03", gross_minor=share) for i, share in enumerate(due)
    )
    invoice = Invoice(currency="USD", due_date="2026-03-31", lines=lines)
    parts, left = allocate_in_order(amount_minor, INVOICE, invoice)
    by_policy = {part.policy_id: part.amount_minor for part in parts}
    assert sum(by_policy.values()) + left == amount_minor
    assert left >= 0
    assert all(0 <= by_policy.get(line.policy_id, 0) <= line.due_minor for line in lines)
    assert sum(by_policy.values()) == min(amount_minor, invoice.due_minor)


@pytest.mark.parametrize("end", [DECLINE, CANCEL, SETTLE])
def test_a_charge_told_of_while_the_attempt_was_open_is_read_when_it_ends_without_it(end: Any) -> None:
    told = NudgeAttempt(account_id=ACCOUNT, attempt_id=ATTEMPT, kind="charge.succeeded", object_id="ch_8")
    story = given(*UNDER_WAY).when(told, told).when(end)
    assert [event.object_id for event in story.then() if isinstance(event, AttemptNudged)] == ["ch_8"]
    assert story.state.told_charges == {}


def test_a_charge_that_settled_or_is_a_case_is_not_read_again() -> None:
    told = NudgeAttempt(account_id=ACCOUNT, attempt_id=ATTEMPT, kind="charge.succeeded", object_id="ch_1")
    assert given(*UNDER_WAY).when(told).when(SETTLE).types() == ["payment-settled", "payment-allocated"]
    found = given(*UNDER_WAY).when(msgspec.structs.replace(told, object_id="ch_2"), FIND)
    assert found.when(DECLINE).types() == ["payment-declined"]
