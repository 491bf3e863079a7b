"""Money that goes back: set aside once, approved by two where it is much, told as the processor has it."""

from typing import Any

import pytest

from services.billing.domain.commands import EndRefund, NoteRefund
from services.billing.domain.policy import APPROVAL_ABOVE_MINOR, APPROVAL_TERM
from shared.contracts.billing import (
    PaymentDeallocated,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
)
from shared.contracts.gateway import WebhookReceived
from shared.instants import text_of
from tests.unit.billing.money_story import (
    APPROVE,
    DAY,
    GIVE_BACK,
    REFUND,
    REQUEST,
    changed,
    much_paid,
    paid_by_card,
)
from tests.unit.billing.story import ACCOUNT, AT, DUE_MINOR, INVOICE, NOTHING, PAYMENT, Story, context, given

MUCH = changed(GIVE_BACK, amount_minor=60_000)
REJECT = {"decision": "reject"}
EXPIRED = EndRefund(account_id=ACCOUNT, refund_id=REFUND, reason="approval_expired")
NOT_MADE = changed(EXPIRED, reason="refused_by_processor")
PENDING = NoteRefund(
    account_id=ACCOUNT, refund_id=REFUND, refund_ref="re_1", status="pending", reason="unknown", sent_on=DAY,
    ended_on=None,
)  # fmt: skip
DONE = changed(PENDING, status="succeeded")
FAILED = changed(PENDING, status="failed", reason="lost_or_stolen_card", ended_on="2026-03-05")


def opened() -> Story:
    """Return a small refund that is to be sent."""
    return given(*paid_by_card()).when(GIVE_BACK)


def approval(story: Story, **fields: Any) -> Any:
    """Return a yes to the refund that waits."""
    return changed(APPROVE, digest=story.state.refunds[REFUND].digest, **fields)


def test_a_refund_is_taken_from_credit_first_then_from_what_was_paid_last() -> None:
    story = much_paid().when(changed(GIVE_BACK, amount_minor=29_500))
    released, refund = story.then()
    assert isinstance(released, PaymentDeallocated)
    assert [(part.policy_id, part.amount_minor) for part in released.allocations] == [("pol_2", 750)]
    assert isinstance(refund, RefundOpened)
    assert (refund.amount_minor, refund.approvals_needed, refund.charge_ref) == (29_500, 0, "ch_1")
    assert story.state.funds[PAYMENT].unapplied_minor == 0


def test_a_refund_from_credit_opens_no_bill() -> None:
    assert much_paid().when(changed(GIVE_BACK, amount_minor=28_750, release=False)).types() == ["refund-opened"]


def test_a_repeated_refund_adds_nothing() -> None:
    assert opened().when(GIVE_BACK).then() == NOTHING


def test_what_is_set_aside_cannot_be_asked_back_again() -> None:
    assert opened().when(changed(GIVE_BACK, refund_id="rfd_3_02", amount_minor=1)).types() == ["request-refused"]


@pytest.mark.parametrize(("minor", "needed"), [(APPROVAL_ABOVE_MINOR, 0), (APPROVAL_ABOVE_MINOR + 1, 2)])
def test_above_a_limit_two_approvals_are_needed(minor: int, needed: int) -> None:
    refund = much_paid().when(changed(MUCH, amount_minor=minor)).then()[-1]
    assert isinstance(refund, RefundOpened)
    assert refund.approvals_needed == needed
    assert refund.approve_by == (text_of(context().recorded_at + APPROVAL_TERM) if needed else None)


def test_two_different_people_approve_over_one_digest() -> None:
    story = much_paid().when(MUCH)
    first = story.when(approval(story), by="usr_1")
    second = first.when(approval(story, request_id="req_3_02"), by="usr_2")
    told = [event for event in (*first.then(), *second.then()) if isinstance(event, RefundApproved)]
    assert [(one.approver, one.is_last, one.request_id) for one in told] == [
        ("usr_1", False, REQUEST), ("usr_2", True, "req_3_02"),
    ]  # fmt: skip
    assert second.when(approval(story), by="usr_3").types() == ["request-refused"]


def test_the_digest_tells_every_refund_from_every_other() -> None:
    asked = [
        MUCH,
        changed(MUCH, amount_minor=59_999),
        changed(MUCH, reason="overpaid"),
        changed(MUCH, refund_id="rfd_3_9"),
    ]
    digests = {
        event.digest for one in asked for event in much_paid().when(one).then() if isinstance(event, RefundOpened)
    }
    assert len(digests) == len(asked)


@pytest.mark.parametrize("approved", [False, True])
def test_one_no_cancels_it(approved: bool) -> None:
    story = much_paid().when(MUCH)
    waiting = story.when(approval(story), by="usr_1") if approved else story
    (cancelled,) = waiting.when(approval(story, **REJECT), by="usr_1").then()
    assert isinstance(cancelled, RefundCancelled)
    assert (cancelled.reason, cancelled.request_id) == ("rejected", REQUEST)


def test_approvals_that_do_not_come_in_time_cancel_it_and_its_money_is_credit() -> None:
    story = much_paid().when(MUCH).when(EXPIRED)
    assert story.types() == ["refund-cancelled"]
    assert story.state.funds[PAYMENT].unapplied_minor == 60_000
    assert story.when(EXPIRED).then() == NOTHING


def test_a_refund_that_was_approved_does_not_expire() -> None:
    story = much_paid().when(MUCH)
    approved = story.when(approval(story), by="usr_1").when(approval(story), by="usr_2")
    assert approved.when(EXPIRED).then() == NOTHING


def test_a_refund_that_the_processor_refuses_is_credit_again_and_its_bill_stays_open() -> None:
    story = opened().when(NOT_MADE)
    assert story.types() == ["refund-cancelled"]
    assert story.state.funds[PAYMENT].unapplied_minor == DUE_MINOR
    assert story.state.invoices[INVOICE].due_minor == DUE_MINOR


@pytest.mark.parametrize(
    ("told", "types"),
    [
        ((PENDING, PENDING), ["refund-sent"]),
        ((PENDING, DONE, PENDING, DONE), ["refund-sent", "refund-completed"]),
        ((DONE,), ["refund-sent", "refund-completed"]),
        ((FAILED,), ["refund-sent", "refund-bounced"]),
        ((DONE, FAILED, DONE, FAILED), ["refund-sent", "refund-completed", "refund-bounced"]),
        ((changed(FAILED, ended_on=None), FAILED), ["refund-sent", "refund-bounced"]),
        ((PENDING, changed(DONE, refund_ref="re_2")), ["refund-sent"]),
        ((PENDING, NOT_MADE), ["refund-sent"]),
    ],
)
def test_what_the_log_lacks_of_a_refund_is_added(told: Any, types: list[str]) -> None:
    assert opened().when(*told).types() == types


def test_a_refund_that_came_back_is_credit_again() -> None:
    assert opened().when(FAILED).state.funds[PAYMENT].unapplied_minor == DUE_MINOR


def test_each_step_counts_on_the_processors_day() -> None:
    days = [
        event.effective_on() for event in opened().when(FAILED).then() if isinstance(event, RefundSent | RefundBounced)
    ]
    assert days == [DAY, "2026-03-05"]


def test_a_webhook_of_a_refund_has_it_read_until_it_bounced() -> None:
    webhook = WebhookReceived(
        provider="card", provider_event_id="evt_1", kind="refund.updated", object_id="re_1", body_sha256="",
        account_id=ACCOUNT, received_at=AT,
    )  # fmt: skip
    assert opened().when(webhook).then() == NOTHING
    assert opened().when(DONE).when(webhook).types() == ["refund-nudged"]
    assert opened().when(FAILED).when(webhook).then() == NOTHING


def test_an_outcome_of_no_refund_raises() -> None:
    with pytest.raises(LookupError):
        given(*paid_by_card()).when(DONE)
