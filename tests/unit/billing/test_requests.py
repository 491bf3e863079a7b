"""Accounts, bills and payments are made once, or refused with the first reason that applies."""

import inspect
import re

import msgspec
import pytest

from services.billing.domain import requests
from services.billing.domain.requests import invoice_number
from services.billing.handlers import REGISTRY
from shared.contracts.billing import (
    AccountMoved,
    AttemptPlanned,
    InvoiceVoided,
    MergeProposed,
    PaymentRefused,
    Refusal,
    RequestRefused,
)
from shared.contracts.event import Event, Method, PremiumLine
from shared.contracts.gateway import PaymentRequested, WebhookReceived
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_ACCOUNT,
    ASK_INVOICE,
    AT,
    DECLINE,
    DUE_MINOR,
    INVOICE,
    ISSUED,
    LINES,
    NOTHING,
    OPENED,
    PAY,
    PLANNED,
    REGISTER,
    REGISTERED,
    SETTLE,
    given,
    reread,
    without,
)


def changed(**fields: object) -> PaymentRequested:
    return msgspec.structs.replace(PAY, payment_id="pay_3_99", **fields)


def test_an_account_is_opened_once() -> None:
    opened, refused = given().when(ASK_ACCOUNT, ASK_ACCOUNT).then()
    assert opened == OPENED
    assert refused == RequestRefused(account_id=ACCOUNT, subject=ACCOUNT, reason=Refusal.ACCOUNT_EXISTS)


def test_a_bill_totals_the_members_share() -> None:
    (issued,) = given(OPENED).when(ASK_INVOICE).then()
    assert issued == msgspec.structs.replace(ISSUED, number=invoice_number(INVOICE))


def test_a_bill_is_refused_without_account_and_when_it_exists() -> None:
    def reasons(*facts: Event) -> list[Refusal]:
        return [e.reason for e in given(*facts).when(ASK_INVOICE).then() if isinstance(e, RequestRefused)]

    assert reasons() == [Refusal.ACCOUNT_UNKNOWN]
    assert reasons(OPENED, ISSUED) == [Refusal.INVOICE_EXISTS]


def test_a_bill_beyond_an_amount_is_our_fault_and_raises() -> None:
    line = PremiumLine(policy_id="p", coverage_month="2026-03", gross_minor=2**63 - 1)
    with pytest.raises(ValueError, match="beyond"):
        given(OPENED).when(without([line, line]))


def test_a_bill_that_would_lift_the_household_beyond_an_amount_is_refused() -> None:
    subsidised = PremiumLine(policy_id="p", coverage_month="2026-03", gross_minor=2**63 - 1, aptc_minor=2**63 - 1)
    (refused,) = given(OPENED, ISSUED).when(without([subsidised], invoice_id="inv_3_zz")).then()
    assert refused == RequestRefused(account_id=ACCOUNT, subject="inv_3_zz", reason=Refusal.AMOUNT_TOO_LARGE)


def test_an_invoice_number_can_be_read_out_and_differs() -> None:
    numbers = {invoice_number(f"inv_3_{i}") for i in range(500)}
    assert len(numbers) == 500
    assert {len(number) for number in numbers} == {13}


def test_a_payment_that_is_due_is_planned() -> None:
    (planned,) = given(OPENED, ISSUED).when(PAY).then()
    assert isinstance(planned, AttemptPlanned)
    assert planned == msgspec.structs.replace(PLANNED, attempt_id=planned.attempt_id)
    assert planned.attempt_id.startswith("att_3_")


def _paid() -> tuple[Event, ...]:
    return given(OPENED, ISSUED, PLANNED).when(REGISTER, SETTLE).facts


VOIDED = InvoiceVoided(
    account_id=ACCOUNT, invoice_id=INVOICE, currency="USD", lines=LINES, total_minor=DUE_MINOR, is_whole=True,
    reason="billed_in_error",
)  # fmt: skip
PROPOSED = MergeProposed(account_id=ACCOUNT, merge_id="mrg_3_0f", routed_to="acc_0z")
MOVED = AccountMoved(account_id=ACCOUNT, merge_id="mrg_3_0f", to_account_id="acc_0z")

ROWS: list[tuple[tuple[Event, ...], PaymentRequested, Refusal]] = [
    ((), changed(), Refusal.ACCOUNT_UNKNOWN),
    ((), changed(invoice_id="inv_3_zz", currency="EUR", amount_minor=1), Refusal.ACCOUNT_UNKNOWN),
    ((OPENED,), changed(currency="EUR", amount_minor=1), Refusal.INVOICE_UNKNOWN),
    (_paid(), changed(currency="EUR", amount_minor=1), Refusal.CURRENCY_MISMATCH),
    ((OPENED, ISSUED), changed(policy_id="pol_9", currency="EUR"), Refusal.POLICY_UNKNOWN),
    ((OPENED, ISSUED, VOIDED), changed(policy_id="pol_9"), Refusal.INVOICE_VOID),
    ((OPENED, ISSUED, MOVED), changed(invoice_id="inv_3_zz"), Refusal.ACCOUNT_MOVED),
    ((OPENED, ISSUED, PROPOSED), changed(invoice_id="inv_3_zz"), Refusal.ACCOUNT_BUSY),
    (_paid(), changed(amount_minor=1), Refusal.INVOICE_PAID),
    (_paid(), changed(method=Method("card", "pm_card_mastercard")), Refusal.INVOICE_PAID),
    ((OPENED, ISSUED), changed(amount_minor=DUE_MINOR + 1), Refusal.AMOUNT_NOT_DUE),
    ((OPENED, ISSUED, PLANNED), changed(amount_minor=DUE_MINOR + 1), Refusal.AMOUNT_NOT_DUE),
    ((OPENED, ISSUED), changed(amount_minor=1_251, policy_id="pol_2"), Refusal.AMOUNT_NOT_DUE),
]


@pytest.mark.parametrize(("facts", "request_", "reason"), ROWS)
def test_the_first_reason_that_applies_is_given(
    facts: tuple[Event, ...], request_: PaymentRequested, reason: Refusal
) -> None:
    (refused,) = given(*facts).when(request_).then()
    assert isinstance(refused, PaymentRefused)
    assert refused.reason is reason


def test_every_reason_for_a_payment_has_a_row() -> None:
    source = inspect.getsource(requests.judged) + inspect.getsource(requests.wrong_bill)
    named = {Refusal[name] for name in re.findall(r"Refusal\.([A-Z_]+)", source + inspect.getsource(requests.closed))}
    assert {row[2] for row in ROWS} == named


def test_a_repeated_payment_adds_nothing() -> None:
    assert given(OPENED, ISSUED, PLANNED).when(PAY).then() == NOTHING


def test_a_refusal_changes_no_state() -> None:
    story = given(OPENED, ISSUED).when(changed(amount_minor=DUE_MINOR + 1))
    assert story.state == given(OPENED, ISSUED).state


def test_an_ended_payment_frees_its_bill() -> None:
    story = given(OPENED, ISSUED, PLANNED).when(REGISTER, DECLINE)
    assert story.when(changed()).types() == ["attempt-planned"]


def test_a_webhook_without_household_concerns_nobody() -> None:
    webhook = WebhookReceived(
        provider="card", provider_event_id="evt_1", kind="payout.paid", object_id="po_1", body_sha256="", received_at=AT
    )
    assert REGISTRY.handlers[WebhookReceived].stream(webhook) is None


def test_a_state_reads_back_from_a_snapshot() -> None:
    for facts in ((), (OPENED, ISSUED, PLANNED), (OPENED, ISSUED, PLANNED, REGISTERED), _paid()):
        state = given(*facts).state
        assert reread(state) == state
