"""Facts and requests of money that is there: what tests of cheques, cases, refunds, transfers and merges begin with."""

from typing import Any, Literal

import msgspec

from shared.contracts.billing import AccountOpened, CheckReturnReported, DisputeTraced, MergeAnswered, MergeProposed
from shared.contracts.event import Event
from shared.contracts.gateway import (
    BankLine,
    BankStatementReceived,
    CaseDecisionRequested,
    CheckReceived,
    InvoiceVoidRequested,
    MergeRequested,
    PaymentDecisionRequested,
    RefundApprovalRequested,
    RefundRequested,
    TransferRequested,
)
from tests.unit.billing.story import (
    ACCOUNT,
    AT,
    CONTACT,
    DUE_MINOR,
    INVOICE,
    ISSUED,
    OPENED,
    PAY,
    PAYMENT,
    PLANNED,
    REGISTER,
    REGISTERED,
    SETTLE,
    Story,
    given,
)

OTHER, DAY = "acc_0b", "2026-03-02"
CHECK, HELD, REFUND, TRANSFER, MERGE, REQUEST = "pay_3_0e", "pay_3_0f", "rfd_3_01", "trf_3_01", "mrg_3_01", "req_3_01"
UNDER_WAY = (OPENED, ISSUED, PLANNED, REGISTERED)
OTHER_OPENED = AccountOpened(account_id=OTHER, member_id="mem_2", language="es", contact=CONTACT)

CHEQUE = CheckReceived(
    payment_id=CHECK, reference="R2", account_id=ACCOUNT, invoice_id=INVOICE, amount_minor=DUE_MINOR, currency="USD",
    bank_account="trust", bank_reference="LBX-1", received_on=DAY, received_at=AT,
)  # fmt: skip
RETURNED = CheckReturnReported(
    bank_account="trust", line_ref="L-1", routed_to=ACCOUNT, payment_id=CHECK, amount_minor=DUE_MINOR, currency="USD",
    returned_on=DAY,
)  # fmt: skip
GIVE_BACK = RefundRequested(
    refund_id=REFUND, account_id=ACCOUNT, payment_id=PAYMENT, amount_minor=DUE_MINOR, currency="USD",
    reason="requested_by_member", release=True, received_at=AT,
)  # fmt: skip
APPROVE = RefundApprovalRequested(
    request_id=REQUEST, account_id=ACCOUNT, refund_id=REFUND, digest="", decision="approve", received_at=AT
)
VOID = InvoiceVoidRequested(
    request_id=REQUEST, account_id=ACCOUNT, invoice_id=INVOICE, lines=(), reason="billed_in_error", received_at=AT
)
SEND = TransferRequested(
    transfer_id=TRANSFER, account_id=ACCOUNT, to_account_id=OTHER, amount_minor=1_000, currency="USD",
    reason="same_family", received_at=AT,
)  # fmt: skip
JOIN = MergeRequested(merge_id=MERGE, account_id=ACCOUNT, to_account_id=OTHER, received_at=AT)
CHARGE = PaymentDecisionRequested(
    request_id=REQUEST, account_id=ACCOUNT, payment_id=HELD, decision="charge", received_at=AT
)
STATEMENT = BankStatementReceived(
    statement_id="stm_3_01", bank_account="trust", day="2026-03-03", currency="USD", opening_minor=0,
    closing_minor=-200, lines=(BankLine(line_ref="B-2", kind="fee", amount_minor=-200, reference="r"),),
    received_at=AT,
)  # fmt: skip
PROPOSED = MergeProposed(account_id=ACCOUNT, merge_id=MERGE, routed_to=OTHER)
TAKEN_IN = MergeAnswered(account_id=OTHER, merge_id=MERGE, routed_to=ACCOUNT, reason=None)
DISPUTED = DisputeTraced(
    object_id="du_1", routed_to=ACCOUNT, payment_id=PAYMENT, attempt_id="att_3_0d", processor="card",
    processor_ref="pi_1", charge_ref="ch_1", status="needs_response", reason="fraudulent", amount_minor=DUE_MINOR,
    currency="USD", opened_at=AT, due_by=None, debited_minor=DUE_MINOR, fee_minor=1_500, debited_on=DAY,
    reinstated_minor=0, reinstated_on=None,
)  # fmt: skip
LOST = msgspec.structs.replace(DISPUTED, status="lost")


def changed(message: Any, **fields: Any) -> Any:
    """Return a message with other fields."""
    return msgspec.structs.replace(message, **fields)


def paid_by_card() -> tuple[Event, ...]:
    """Return the facts of the bill, paid in whole by card."""
    return given(*UNDER_WAY).when(SETTLE).facts


def paid_twice() -> Story:
    """Return the bill paid by card and then by cheque: a case."""
    return given(*paid_by_card()).when(CHEQUE)


def case_of(story: Story) -> str:
    """Return the id of the only case."""
    (case_id,) = story.state.cases
    return str(case_id)


def decide(case_id: str, decision: Literal["refund", "credit", "not_a_duplicate"]) -> CaseDecisionRequested:
    """Return the request that decides a case."""
    return CaseDecisionRequested(
        request_id=REQUEST, account_id=ACCOUNT, case_id=case_id, decision=decision, received_at=AT
    )


def overpaid(by_minor: int = 1_000) -> Story:
    """Return the bill paid by a cheque that was larger: the rest is credit."""
    return given(OPENED, ISSUED).when(changed(CHEQUE, amount_minor=DUE_MINOR + by_minor))


def much_paid() -> Story:
    """Return the bill paid by card with 600.00, so that a refund of it all needs approvals."""
    pay = changed(PAY, amount_minor=60_000, accept_credit=True)
    return given(*given(OPENED, ISSUED).when(pay, REGISTER, SETTLE).facts)


def held(**fields: Any) -> Story:
    """Return a payment held beside one under way on the same bill."""
    amount_minor = 1_250 if "policy_id" in fields else DUE_MINOR
    return given(*UNDER_WAY).when(changed(PAY, payment_id=HELD, amount_minor=amount_minor, **fields))
