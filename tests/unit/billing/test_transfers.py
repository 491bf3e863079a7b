"""Credit between households: sent from the oldest money on, received once, or had again."""

from typing import Any

import pytest

from shared.contracts.billing import (
    PaymentAllocated,
    Refusal,
    Source,
    TransferCompleted,
    TransferReceived,
    TransferRejected,
    TransferReturned,
    TransferSent,
)
from tests.unit.billing.money_story import (
    CHECK,
    CHEQUE,
    OTHER,
    OTHER_OPENED,
    RETURNED,
    SEND,
    TRANSFER,
    changed,
    overpaid,
)
from tests.unit.billing.story import ACCOUNT, ASK_INVOICE, DUE_MINOR, NOTHING, OPENED, Story, given

_ids: dict[str, Any] = {"transfer_id": TRANSFER, "amount_minor": 1_000, "currency": "USD"}
RECEIVED = TransferReceived(account_id=OTHER, routed_to=ACCOUNT, **_ids)
REJECTED = TransferRejected(account_id=OTHER, routed_to=ACCOUNT, reason=Refusal.ACCOUNT_MOVED, **_ids)
COMPLETED = TransferCompleted(account_id=ACCOUNT, **_ids)
BACK = TransferReturned(account_id=ACCOUNT, reason=Refusal.ACCOUNT_MOVED, **_ids)


def two_cheques() -> Story:
    """Return credit of 400 and, younger, of 800."""
    first = changed(CHEQUE, invoice_id=None, amount_minor=400)
    second = changed(first, payment_id="pay_3_77", bank_reference="LBX-2", amount_minor=800)
    return given(OPENED).when(first, second)


def test_the_oldest_money_goes_first() -> None:
    (sent,) = two_cheques().when(SEND).then()
    assert sent == TransferSent(
        account_id=ACCOUNT, routed_to=OTHER, reason="same_family", **_ids,
        sources=(Source(fund_id=CHECK, amount_minor=400), Source(fund_id="pay_3_77", amount_minor=600)),
    )  # fmt: skip


def test_a_repeated_transfer_adds_nothing() -> None:
    assert two_cheques().when(SEND).when(SEND).then() == NOTHING


def test_what_is_received_is_credit_and_pays_the_next_bill() -> None:
    sent = two_cheques().when(SEND).then()[0]
    story = given(OTHER_OPENED, stream=OTHER).when(sent)
    assert story.then() == (RECEIVED,)
    allocated = story.when(changed(ASK_INVOICE, account_id=OTHER)).then()[-1]
    assert isinstance(allocated, PaymentAllocated)
    assert (allocated.payment_id, allocated.unapplied_minor) == (TRANSFER, 0)


def test_what_was_received_can_be_sent_on() -> None:
    sent = two_cheques().when(SEND).then()[0]
    on = changed(SEND, transfer_id="trf_3_02", account_id=OTHER, to_account_id="acc_0c")
    (sent_on,) = given(OTHER_OPENED, stream=OTHER).when(sent).when(on).then()
    assert sent_on.sources == (Source(fund_id=TRANSFER, amount_minor=1_000),)  # type: ignore[attr-defined]


def test_a_household_that_does_not_exist_gives_the_credit_back() -> None:
    sent = two_cheques().when(SEND).then()[0]
    (rejected,) = given(stream=OTHER).when(sent).then()
    assert rejected == changed(REJECTED, reason=Refusal.ACCOUNT_UNKNOWN)


@pytest.mark.parametrize(("answer", "event"), [(RECEIVED, COMPLETED), (REJECTED, BACK)])
def test_a_transfer_ends_once(answer: Any, event: Any) -> None:
    story = two_cheques().when(SEND)
    assert story.when(answer, RECEIVED, REJECTED).then() == (event,)


def test_an_answer_to_no_transfer_adds_nothing() -> None:
    assert given(OPENED).when(RECEIVED, REJECTED).then() == NOTHING


def test_credit_that_comes_back_is_of_the_money_that_it_was() -> None:
    story = two_cheques().when(SEND, REJECTED)
    assert [fund.unapplied_minor for fund in story.state.funds.values()] == [400, 800]


def test_credit_that_comes_back_pays_what_is_owed_for_the_same_money() -> None:
    story = overpaid().when(SEND, changed(RETURNED, amount_minor=DUE_MINOR + 1_000), REJECTED)
    assert story.types()[-2:] == ["transfer-returned", "recovery-paid"]
    assert story.state.funds[CHECK].recovery_minor == 0
