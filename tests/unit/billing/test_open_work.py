"""Open work is what the log says: what opens it, what changes it, what asks for a run now, what closes it."""

from typing import Any

import msgspec
import pytest

from services.billing.effects.open_work import Change, OpenWork
from services.billing.effects.works import (
    OpenAttempt,
    OpenHold,
    OpenRefund,
    OpenTrace,
    OpenTransfer,
    SentRefund,
    StrangeThing,
)
from shared.contracts.billing import (
    AttemptCancelRequested,
    AttemptNudged,
    AttemptPlanned,
    AttemptRegistered,
    DisputeTraced,
    ObjectIgnored,
    ObjectNudged,
    PaymentCancelled,
    PaymentDeclined,
    PaymentHeld,
    PaymentSettled,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundNudged,
    RefundSent,
    RefundStopRequested,
    Refusal,
    TransferCompleted,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Event, Method
from tests.unit.billing.effect_story import AT, REFUND, row

LATER = "2026-03-05T12:00:00.000000Z"
_money: dict[str, Any] = {"amount_minor": 100, "currency": "USD"}
_attempt: dict[str, Any] = {"account_id": "acc_a", "payment_id": "pay_0_a", "attempt_id": "att_0_a"}
_ask: dict[str, Any] = {
    **_attempt, **_money, "reference": "R", "invoice_id": "inv_0_a", "method": Method("card", "pm_card_visa"),
    "received_at": AT,
}  # fmt: skip
_end: dict[str, Any] = {**_attempt, **_money, "reference": "R", "invoice_id": "inv_0_a", "processor": "card"}
PLANNED = AttemptPlanned(**_ask, return_url="https://portal/back")
REGISTERED = AttemptRegistered(**_attempt, **_money, processor="card", processor_ref="pi_1")
UNWANTED = AttemptCancelRequested(**_attempt, request_id="req_0_a")
SETTLED = PaymentSettled(**_end, processor_ref="pi_1", charge_ref="ch_1", settled_on="2026-03-02", settled_at=AT)
DECLINED = PaymentDeclined(**_end, reason="lost_card", registered=True)
CANCELLED = PaymentCancelled(**_end, reason="hold_expired", registered=False)
HELD = PaymentHeld(
    **_ask, policy_id=None, return_url=None, reason="same_payment_settled", twin_payment_id="pay_0_b", held_until=LATER
)
_refund: dict[str, Any] = {"account_id": "acc_a", "refund_id": "rfd_0_a", "payment_id": "pay_0_a"}
WAITING = msgspec.structs.replace(REFUND, approvals_needed=2, approve_by=LATER)
APPROVED = RefundApproved(**_refund, approver="mem_2", digest="", is_last=False, request_id="req_0_b")
LAST_APPROVED = msgspec.structs.replace(APPROVED, is_last=True)
STOPPED = RefundStopRequested(**_refund, chargeback_id="du_1")
SENT = RefundSent(
    **_refund, **_money, processor="card", processor_ref="pi_1", refund_ref="re_1", sent_on="2026-03-02"
)  # fmt: skip
COMPLETED = RefundCompleted(**_refund, **_money, reference="R")
BOUNCED = RefundBounced(
    **_refund, **_money, fund_id="pay_0_a", reference="R", processor="card", processor_ref="pi_1", refund_ref="re_1",
    bounced_on="2026-03-03", reason="lost_or_stolen_card",
)  # fmt: skip
WITHDRAWN = RefundCancelled(**_refund, **_money, fund_id="pay_0_a", reference="R", reason="chargeback")
REFUND_NUDGED = RefundNudged(**_refund, object_id="re_1")
_transfer: dict[str, Any] = {"account_id": "acc_a", "transfer_id": "trf_0_a", **_money}
TRANSFER_SENT = TransferSent(**_transfer, routed_to="acc_b", reason="same_family", sources=())
TRANSFER_COMPLETED = TransferCompleted(**_transfer)
TRANSFER_RETURNED = TransferReturned(**_transfer, reason=Refusal.ACCOUNT_MOVED)
OBJECT = ObjectNudged(object_id="du_1", kind="charge.dispute.created")
IGNORED = ObjectIgnored(object_id="du_1", reason="not_ours")
TRACED = DisputeTraced(
    object_id="du_1", routed_to="acc_a", payment_id="pay_0_a", attempt_id="att_0_a", processor="card",
    processor_ref="pi_1", charge_ref="ch_1", status="needs_response", reason="fraudulent", **_money, opened_at=AT,
    due_by=None, debited_minor=100, fee_minor=0, debited_on="2026-03-02", reinstated_minor=0, reinstated_on=None,
)  # fmt: skip


def nudged(object_id: str) -> AttemptNudged:
    return AttemptNudged(**_attempt, object_id=object_id)


def fold(*events: Event) -> tuple[OpenWork, list[Change]]:
    """Return what is open after the events, and what the last one changed."""
    work, changes = OpenWork(), list[Change]()
    for position, event in enumerate(events, 1):
        changes = work.take(row(event, position))
    return work, changes


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([PLANNED], OpenAttempt), ([HELD], OpenHold), ([REFUND], OpenRefund), ([WAITING], OpenRefund),
        ([OBJECT], OpenTrace), ([TRANSFER_SENT], OpenTransfer), ([REFUND, COMPLETED, REFUND_NUDGED], SentRefund),
        ([PLANNED, REGISTERED, SETTLED, nudged("ch_2")], StrangeThing), ([HELD, PLANNED], OpenAttempt),
    ],
)  # fmt: skip
def test_an_intent_opens_one_work_and_runs_it(events: list[Event], kind: type[object]) -> None:
    work, changes = fold(*events)
    (one,) = work.by_id.values()
    assert type(one) is kind
    assert changes[-1] == Change("nudged", one.work_id)


@pytest.mark.parametrize(
    "events",
    [
        [PLANNED, SETTLED], [PLANNED, DECLINED], [PLANNED, CANCELLED], [HELD, CANCELLED], [HELD, PLANNED, SETTLED],
        [REFUND, COMPLETED], [REFUND, SENT, BOUNCED], [WAITING, WITHDRAWN], [OBJECT, IGNORED], [OBJECT, TRACED],
        [TRANSFER_SENT, TRANSFER_COMPLETED], [TRANSFER_SENT, TRANSFER_RETURNED],
    ],
)  # fmt: skip
def test_an_outcome_closes_it(events: list[Event]) -> None:
    work, changes = fold(*events)
    assert work.by_id == {}
    assert [change.how for change in changes] == ["closed"]


@pytest.mark.parametrize(
    ("events", "field", "value", "how"),
    [
        ([PLANNED], "return_url", "https://portal/back", "nudged"),
        ([PLANNED, REGISTERED], "processor_ref", "pi_1", "changed"),
        ([PLANNED, UNWANTED], "is_unwanted", True, "nudged"),
        ([WAITING], "approve_by", LATER, "nudged"),
        ([WAITING, LAST_APPROVED], "approve_by", None, "nudged"),
        ([REFUND, STOPPED], "is_stopping", True, "nudged"),
        ([REFUND, SENT], "is_sent", True, "changed"),
        ([REFUND, REFUND_NUDGED], "is_sent", False, "nudged"),
        ([OBJECT, OBJECT, TRACED], "causes", (f"{2:032x}",), "nudged"),
    ],
)
def test_what_follows_changes_it(events: list[Event], field: str, value: object, how: str) -> None:
    work, changes = fold(*events)
    (one,) = work.by_id.values()
    assert getattr(one, field) == value
    assert [change.how for change in changes][-1] == how


@pytest.mark.parametrize("events", [[WAITING, APPROVED], [SETTLED], [STOPPED], [SENT], [UNWANTED], [IGNORED]])
def test_what_asks_for_nothing_changes_nothing(events: list[Event]) -> None:
    assert fold(*events)[1] == []


@pytest.mark.parametrize(("object_id", "strange"), [("pi_1", False), ("ch_9", False), ("pi_2", True)])
def test_an_open_attempt_is_asked_about_and_another_intent_is_read(object_id: str, strange: bool) -> None:
    work, (change,) = fold(PLANNED, REGISTERED, nudged(object_id))
    assert change == Change("nudged", f"strange:{object_id}" if strange else "att_0_a")
    assert isinstance(work.by_id[change.work_id], StrangeThing) == strange


@pytest.mark.parametrize(("end", "names"), [(SETTLED, ("pi_1", "ch_1")), (DECLINED, ("pi_1",)), (CANCELLED, ("pi_1",))])
def test_an_attempt_is_remembered_by_the_names_it_ended_under(end: Event, names: tuple[str, ...]) -> None:
    _, changes = fold(PLANNED, REGISTERED, end)
    assert changes[0].ended_as == names


def test_what_was_read_once_is_taken_out() -> None:
    work, _ = fold(nudged("ch_2"))
    work.end("strange:ch_2")
    assert work.by_id == {}
