"""Bills that are taken back, whole or by line; what had paid them is credit again."""

from shared.contracts.billing import InvoiceVoided, PaymentDeallocated, TransferSent
from shared.contracts.event import Allocation, PolicyMonth
from tests.unit.billing.money_story import (
    CHARGE,
    CHECK,
    CHEQUE,
    JOIN,
    OTHER,
    REQUEST,
    TAKEN_IN,
    VOID,
    changed,
    held,
    paid_by_card,
)
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_INVOICE,
    CANCEL,
    DUE_MINOR,
    INVOICE,
    ISSUED,
    LINES,
    OPENED,
    PAYMENT,
    given,
)

SECOND = changed(VOID, lines=(PolicyMonth(policy_id="pol_2", coverage_month="2026-03"),))
FIRST = changed(VOID, lines=(PolicyMonth(policy_id="pol_1", coverage_month="2026-03"),))


def test_a_void_releases_what_paid_and_takes_each_line_back_as_it_was_billed() -> None:
    story = given(*paid_by_card()).when(VOID)
    released, voided = story.then()
    assert isinstance(released, PaymentDeallocated)
    assert (released.payment_id, released.reason, released.unapplied_minor) == (PAYMENT, "void", DUE_MINOR)
    assert voided == InvoiceVoided(
        account_id=ACCOUNT, invoice_id=INVOICE, currency="USD", lines=LINES, total_minor=DUE_MINOR, is_whole=True,
        reason="billed_in_error", request_id=REQUEST,
    )  # fmt: skip
    assert story.state.invoices[INVOICE].lines == ()


def test_a_void_in_parts_leaves_the_other_lines_paid() -> None:
    story = given(*paid_by_card()).when(SECOND)
    released, voided = story.then()
    assert isinstance(released, PaymentDeallocated)
    assert released.allocations == (
        Allocation(invoice_id=INVOICE, policy_id="pol_2", coverage_month="2026-03", amount_minor=1_250),
    )
    assert isinstance(voided, InvoiceVoided)
    assert (voided.lines, voided.total_minor, voided.is_whole) == (LINES[1:], 1_250, False)
    assert (story.state.invoices[INVOICE].due_minor, story.state.invoices[INVOICE].paid_minor) == (0, 30_000)


def test_the_last_part_of_a_void_makes_it_whole() -> None:
    voided = given(OPENED, ISSUED).when(SECOND, FIRST).then()
    assert [event.is_whole for event in voided if isinstance(event, InvoiceVoided)] == [False, True]


def test_a_line_named_twice_is_taken_back_once() -> None:
    (voided,) = given(OPENED, ISSUED).when(changed(SECOND, lines=SECOND.lines * 2)).then()
    assert isinstance(voided, InvoiceVoided)
    assert voided.total_minor == 1_250


def test_all_money_that_paid_a_line_is_released() -> None:
    half = changed(CHEQUE, amount_minor=10_000)
    rest = changed(CHEQUE, payment_id="pay_3_77", bank_reference="LBX-2", amount_minor=DUE_MINOR - 10_000)
    story = given(OPENED, ISSUED).when(half, rest).when(VOID)
    released = [event for event in story.then() if isinstance(event, PaymentDeallocated)]
    assert [(one.payment_id, one.unapplied_minor) for one in released] == [(CHECK, 10_000), ("pay_3_77", 21_250)]


def test_what_is_credit_again_pays_the_next_bill() -> None:
    story = given(*paid_by_card()).when(VOID).when(changed(ASK_INVOICE, invoice_id="inv_3_02"))
    assert story.state.invoices["inv_3_02"].due_minor == 0


def test_a_held_payment_of_what_is_gone_can_only_be_cancelled() -> None:
    story = held(policy_id="pol_2").when(CANCEL, SECOND)
    assert story.when(CHARGE).types() == ["request-refused"]
    assert story.when(changed(CHARGE, decision="cancel")).types() == ["payment-cancelled"]


def test_a_bill_that_was_paid_before_its_household_moved_can_be_taken_back_and_the_credit_goes_on() -> None:
    story = given(*given(*paid_by_card()).when(JOIN, TAKEN_IN).facts).when(VOID)
    assert story.types() == ["payment-deallocated", "invoice-voided", "transfer-sent"]
    sent = story.then()[-1]
    assert isinstance(sent, TransferSent)
    assert (sent.routed_to, sent.amount_minor) == (OTHER, DUE_MINOR)
