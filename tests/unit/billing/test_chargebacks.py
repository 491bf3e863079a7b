"""A dispute is told once, whenever and however often it is heard, also before the money that it asks for."""

from typing import Any

import pytest

from services.billing.domain.commands import EndRefund
from shared.contracts.billing import ChargebackDebited, ChargebackLost, ChargebackOpened, PaymentAllocated
from tests.unit.billing.money_story import (
    CHECK,
    CHEQUE,
    DAY,
    DISPUTED,
    GIVE_BACK,
    JOIN,
    LOST,
    UNDER_WAY,
    changed,
    much_paid,
    paid_by_card,
    paid_twice,
)
from tests.unit.billing.story import ACCOUNT, DECLINE, DUE_MINOR, FIND, INVOICE, NOTHING, PAYMENT, SETTLE, given

INQUIRY = changed(
    DISPUTED, status="warning_needs_response", debited_minor=0, fee_minor=0, debited_on=None
)  # fmt: skip
WON = changed(DISPUTED, status="won", reinstated_minor=DUE_MINOR, reinstated_on=DAY)
STOPPED = EndRefund(account_id=ACCOUNT, refund_id=GIVE_BACK.refund_id, reason="chargeback")


@pytest.mark.parametrize(
    ("told", "types"),
    [
        ((INQUIRY,), ["chargeback-opened"]),
        ((INQUIRY, changed(INQUIRY, status="warning_closed")), ["chargeback-opened", "chargeback-dropped"]),
        ((INQUIRY, DISPUTED), ["chargeback-opened", "chargeback-debited"]),
        ((DISPUTED, WON), ["chargeback-opened", "chargeback-debited", "chargeback-won"]),
        ((WON, DISPUTED, WON), ["chargeback-opened", "chargeback-debited", "chargeback-won"]),
        ((DISPUTED, LOST), ["chargeback-opened", "chargeback-debited", "payment-deallocated", "chargeback-lost"]),
        ((LOST, DISPUTED, LOST), ["chargeback-opened", "chargeback-debited", "payment-deallocated", "chargeback-lost"]),
    ],
)
def test_what_the_log_lacks_of_a_dispute_is_added(told: Any, types: list[str]) -> None:
    assert given(*paid_by_card()).when(*told).types() == types


def test_an_inquiry_that_was_dropped_may_still_become_a_chargeback() -> None:
    story = given(*paid_by_card()).when(changed(INQUIRY, status="warning_closed"), DISPUTED)
    assert story.types() == ["chargeback-opened", "chargeback-dropped", "chargeback-debited"]
    assert story.state.is_disputed(PAYMENT)


@pytest.mark.parametrize("status", ["won", "lost", "prevented", "warning_closed"])
def test_a_dispute_that_ends_without_money_moved_keeps_nothing_open(status: str) -> None:
    story = given(*paid_by_card()).when(changed(INQUIRY, status=status))
    assert story.types() == ["chargeback-opened", "chargeback-dropped"]
    assert story.when(JOIN).types() == ["merge-proposed"]


def test_a_dispute_before_its_settlement_is_kept_with_its_later_parts_and_the_attempt_is_asked() -> None:
    before = given(*UNDER_WAY).when(INQUIRY, DISPUTED)
    assert before.types() == ["dispute-kept", "attempt-nudged", "dispute-kept", "attempt-nudged"]
    after = before.when(SETTLE)
    assert after.types() == ["payment-settled", "payment-allocated", "chargeback-opened", "chargeback-debited"]
    assert after.state.kept_disputes == {}


def test_what_was_read_of_a_kept_dispute_before_adds_nothing() -> None:
    assert given(*UNDER_WAY).when(DISPUTED, DISPUTED, INQUIRY).types() == ["dispute-kept", "attempt-nudged"]


def test_two_disputes_of_a_charge_that_is_not_known_yet_are_both_kept() -> None:
    second = changed(DISPUTED, object_id="du_2", amount_minor=500, debited_minor=500)
    story = given(*UNDER_WAY).when(DISPUTED, second, SETTLE)
    opened = [event.chargeback_id for event in story.then() if isinstance(event, ChargebackOpened)]
    assert opened == ["du_1", "du_2"]
    assert [event.amount_minor for event in story.then() if isinstance(event, ChargebackDebited)] == [DUE_MINOR, 500]


def test_a_dispute_of_a_second_charge_waits_for_that_charge() -> None:
    story = given(*UNDER_WAY).when(changed(DISPUTED, charge_ref="ch_2"), SETTLE)
    assert story.types()[-2:] == ["payment-settled", "payment-allocated"]
    assert story.when(FIND).types() == [
        "charge-found", "duplicate-case-opened", "chargeback-opened", "chargeback-debited",
    ]  # fmt: skip


def test_a_dispute_of_a_declined_payment_has_its_charge_read() -> None:
    story = given(*UNDER_WAY).when(DECLINE, DISPUTED)
    assert [getattr(event, "object_id", None) for event in story.then()][-1] == "ch_1"


def test_a_lost_chargeback_of_a_bill_paid_twice_has_the_surplus_pay_it() -> None:
    story = paid_twice().when(LOST)
    assert story.types()[-2:] == ["duplicate-case-decided", "payment-allocated"]
    allocated = story.then()[-1]
    assert isinstance(allocated, PaymentAllocated)
    assert allocated.payment_id == CHECK
    assert story.state.invoices[INVOICE].due_minor == 0


def test_a_refund_that_waits_for_approvals_is_cancelled_by_a_chargeback() -> None:
    story = much_paid().when(changed(GIVE_BACK, amount_minor=60_000)).when(DISPUTED)
    assert story.types()[-1] == "refund-cancelled"


def test_a_refund_on_its_way_is_stopped_and_what_it_frees_pays_what_is_owed() -> None:
    story = given(*paid_by_card()).when(GIVE_BACK).when(LOST)
    assert story.types() == ["chargeback-opened", "chargeback-debited", "refund-stop-requested", "chargeback-lost"]
    lost = story.then()[-1]
    assert isinstance(lost, ChargebackLost)
    assert (lost.from_credit_minor, lost.recovery_minor) == (0, DUE_MINOR)
    assert story.when(STOPPED).types() == ["refund-cancelled", "recovery-paid"]


def test_nothing_is_refunded_while_a_bank_asks_for_it() -> None:
    story = given(*paid_by_card()).when(INQUIRY, CHEQUE, GIVE_BACK)
    assert story.then()[-1].reason == "payment_disputed"  # type: ignore[attr-defined]


def test_a_dispute_of_no_payment_of_ours_raises() -> None:
    with pytest.raises(LookupError):
        given(*UNDER_WAY).when(changed(DISPUTED, payment_id="pay_3_99", charge_ref="ch_99"))


def test_a_dispute_told_before_adds_nothing() -> None:
    assert given(*paid_by_card()).when(LOST).when(LOST, DISPUTED, INQUIRY).then() == NOTHING
