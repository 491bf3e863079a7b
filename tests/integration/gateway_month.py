"""What billing says in a month in which everything goes wrong: made by hand, for the gateway's projections."""

from typing import Any, Literal

from shared.contracts.billing import (
    AccountMoved,
    AttemptCancelRequested,
    AttemptPlanned,
    ChargebackDebited,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    ChargeFound,
    CheckPosted,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    InvoiceIssued,
    InvoiceVoided,
    MergeAnswered,
    MergeEnded,
    MergeProposed,
    MonthsMoved,
    PaymentActionRequired,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeallocated,
    PaymentHeld,
    PaymentReturned,
    PaymentSettled,
    PaymentUnknown,
    RecoveryPaid,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundOpened,
    RefundSent,
    RefundStopRequested,
    Refusal,
    RequestRefused,
    Source,
    TransferCompleted,
    TransferReceived,
    TransferRejected,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Allocation, Event, Method, PremiumLine
from shared.contracts.ledger import AgeBucket, EntryPosted, ExceptionChanged, Posting, ReconciliationReported

ACCOUNT, OTHER, INVOICE, NEXT_INVOICE = "acc_test", "acc_other", "inv_3_test", "inv_3_next"
AT, LATER = "2026-11-24T06:00:00.000000Z", "2026-11-27T06:00:00.000000Z"
DAY = "2026-11-24"
BANK_DAY = "2026-11-20"
DIGEST = "d" * 64
REF: dict[str, Any] = {"processor": "card", "processor_ref": "pi"}


def money(minor: int = 100, account: str = ACCOUNT) -> dict[str, Any]:
    """Return the fields that most facts about money have."""
    return {"account_id": account, "amount_minor": minor, "currency": "USD"}


def part(minor: int, invoice: str = INVOICE, month: str = "2027-01") -> Allocation:
    return Allocation(invoice_id=invoice, policy_id="P", coverage_month=month, amount_minor=minor)


def allocated(payment: str, *parts: Allocation, unapplied: int = 0, account: str = ACCOUNT) -> PaymentAllocated:
    return PaymentAllocated(
        account_id=account, payment_id=payment, currency="USD", allocations=parts, unapplied_minor=unapplied
    )


def released(payment: str, *parts: Allocation, unapplied: int = 0, account: str = ACCOUNT) -> PaymentDeallocated:
    return PaymentDeallocated(
        account_id=account, payment_id=payment, currency="USD", allocations=parts, unapplied_minor=unapplied,
        reason="refund", subject="rfd_3_x",
    )  # fmt: skip


def attempt(payment: str, account: str = ACCOUNT, request: str | None = None, invoice: str = INVOICE) -> AttemptPlanned:
    return AttemptPlanned(
        **money(account=account), payment_id=payment, reference="R" + payment, attempt_id="att", invoice_id=invoice,
        method=Method("card", "pm_card_visa"), received_at=AT, request_id=request,
    )  # fmt: skip


def paid(payment: str, minor: int = 100, account: str = ACCOUNT) -> PaymentSettled:
    return PaymentSettled(
        **money(minor, account), **REF, payment_id=payment, reference="R" + payment, attempt_id="att",
        invoice_id=INVOICE, charge_ref="ch", settled_on=DAY, settled_at=AT,
    )  # fmt: skip


def held(payment: str, twin: str, account: str = ACCOUNT) -> PaymentHeld:
    return PaymentHeld(
        **money(account=account), payment_id=payment, reference="R" + payment, attempt_id="att", invoice_id=INVOICE,
        method=Method("card", "pm_card_visa"), received_at=AT, policy_id=None, return_url=None,
        reason="same_payment_settled", twin_payment_id=twin, held_until=LATER,
    )  # fmt: skip


def given_up(
    payment: str, reason: str = "cancelled_by_member", account: str = ACCOUNT, request: str | None = None
) -> PaymentCancelled:
    return PaymentCancelled(
        **money(account=account), payment_id=payment, reference="R" + payment, attempt_id="att", invoice_id=INVOICE,
        processor="card", reason=reason, registered=False, request_id=request,
    )  # fmt: skip


def asks(payment: str, account: str = ACCOUNT) -> PaymentActionRequired:
    return PaymentActionRequired(
        account_id=account, payment_id=payment, attempt_id="att", url="https://bank.example/ask", expires_at=LATER
    )


def cheque(payment: str, minor: int = 100, account: str = ACCOUNT) -> CheckPosted:
    return CheckPosted(
        **money(minor, account), payment_id=payment, reference="R" + payment, invoice_id=None, bank_account="lockbox",
        bank_reference="b-1", received_on="2026-11-20",
    )  # fmt: skip


def case_opened(
    case: str, payment: str, fund: str, account: str = ACCOUNT, twin: str | None = None
) -> DuplicateCaseOpened:
    return DuplicateCaseOpened(
        **money(account=account), case_id=case, rule="charged_twice", fund_id=fund, payment_id=payment,
        reference="R" + payment, twin_payment_id=twin, invoice_id=INVOICE,
    )  # fmt: skip


def case_decided(
    case: str, payment: str, account: str = ACCOUNT, refund: str | None = None, request: str | None = None
) -> DuplicateCaseDecided:
    return DuplicateCaseDecided(
        **money(account=account), case_id=case, outcome="refund" if refund else "credit", payment_id=payment,
        reference="R" + payment, invoice_id=INVOICE, refund_id=refund, request_id=request,
    )  # fmt: skip


def refund_opened(
    refund: str, payment: str, minor: int = 100, needed: int = 0, account: str = ACCOUNT, case: str | None = None
) -> RefundOpened:
    return RefundOpened(
        **money(minor, account), **REF, refund_id=refund, payment_id=payment, fund_id=case or payment,
        reference="R" + payment, reason="duplicate" if case else "overpaid", charge_ref="ch",
        approvals_needed=needed, digest=DIGEST, approve_by=LATER if needed else None, case_id=case,
    )  # fmt: skip


def approved(refund: str, payment: str, *, last: bool, request: str, account: str = ACCOUNT) -> RefundApproved:
    return RefundApproved(
        account_id=account, refund_id=refund, payment_id=payment, approver="prn_" + request, digest=DIGEST,
        is_last=last, request_id=request,
    )  # fmt: skip


def sent(refund: str, payment: str, minor: int = 100, account: str = ACCOUNT) -> RefundSent:
    return RefundSent(
        **money(minor, account), **REF, refund_id=refund, payment_id=payment, refund_ref="re", sent_on=DAY
    )


def completed(refund: str, payment: str, minor: int = 100, account: str = ACCOUNT) -> RefundCompleted:
    return RefundCompleted(**money(minor, account), refund_id=refund, payment_id=payment, reference="R" + payment)


def bounced(refund: str, payment: str, minor: int = 100, account: str = ACCOUNT) -> RefundBounced:
    return RefundBounced(
        **money(minor, account), **REF, refund_id=refund, payment_id=payment, fund_id=payment, reference="R",
        refund_ref="re", bounced_on=DAY, reason="lost_or_stolen_card",
    )  # fmt: skip


def cancelled(refund: str, payment: str, minor: int = 100, account: str = ACCOUNT) -> RefundCancelled:
    return RefundCancelled(
        **money(minor, account), refund_id=refund, payment_id=payment, fund_id=payment, reference="R",
        reason="approval_expired",
    )  # fmt: skip


def disputed(chargeback: str, payment: str, fund: str = "", account: str = ACCOUNT) -> ChargebackOpened:
    return ChargebackOpened(
        **money(account=account), **REF, chargeback_id=chargeback, payment_id=payment, fund_id=fund or payment,
        reference="R", charge_ref="ch", stage="chargeback", reason="fraudulent", due_by=LATER,
    )  # fmt: skip


def won(chargeback: str, payment: str, account: str = ACCOUNT) -> ChargebackWon:
    return ChargebackWon(
        **money(account=account), **REF, chargeback_id=chargeback, payment_id=payment, reference="R",
        reinstated_on=DAY,
    )  # fmt: skip


def lost(
    chargeback: str, payment: str, minor: int = 100, credit: int = 100, fund: str = "", account: str = ACCOUNT
) -> ChargebackLost:
    return ChargebackLost(
        **money(minor, account), chargeback_id=chargeback, payment_id=payment, fund_id=fund or payment,
        reference="R", processor="card", from_credit_minor=credit, recovery_minor=minor - credit,
    )  # fmt: skip


def returned(payment: str, minor: int = 100, credit: int = 100, account: str = ACCOUNT) -> PaymentReturned:
    return PaymentReturned(
        **money(minor, account), payment_id=payment, reference="R", invoice_id=None, bank_account="lockbox",
        line_ref="l", from_credit_minor=credit, recovery_minor=minor - credit, returned_on=DAY,
    )  # fmt: skip


def transfer_sent(
    transfer: str, *sources: tuple[str, int], account: str = ACCOUNT, reason: Any = "same_family"
) -> TransferSent:
    return TransferSent(
        **money(sum(minor for _, minor in sources), account), transfer_id=transfer, routed_to=OTHER, reason=reason,
        sources=tuple(Source(fund_id=fund, amount_minor=minor) for fund, minor in sources),
    )  # fmt: skip


def transfer_leg(transfer: str, side: Literal["D", "C"], minor: int, account: str = ACCOUNT) -> EntryPosted:
    """Return the ledger's entry that puts credit on 2140 (C) or takes it from there (D)."""
    other: Literal["D", "C"] = "C" if side == "D" else "D"
    return EntryPosted(
        account_id=account, entry_id=f"ent_{transfer}_{side}", group_id="g", rule="PR-16a" if side == "C" else "PR-16b",
        cause_type="t", cause="c", effective_date=DAY, currency="USD",
        postings=(
            Posting(code="2110", sub_key=account, side=other, amount_minor=minor),
            Posting(code="2140", sub_key=transfer, side=side, amount_minor=minor),
        ),
    )  # fmt: skip


def transfer_back(transfer: str, minor: int, account: str = ACCOUNT) -> TransferReturned:
    return TransferReturned(**money(minor, account), transfer_id=transfer, reason=Refusal.ACCOUNT_MOVED)


def issued(invoice: str, account: str = ACCOUNT, minor: int = 100) -> InvoiceIssued:
    line = PremiumLine(policy_id="P", coverage_month="2027-01", gross_minor=minor)
    return InvoiceIssued(
        account_id=account, invoice_id=invoice, number="N-" + invoice, due_date="2027-01-01", currency="USD",
        lines=(line,), total_minor=minor,
    )  # fmt: skip


def voided(
    invoice: str, minor: int, *, whole: bool, account: str = ACCOUNT, request: str | None = None
) -> InvoiceVoided:
    line = PremiumLine(policy_id="P", coverage_month="2027-01", gross_minor=minor)
    return InvoiceVoided(
        account_id=account, invoice_id=invoice, currency="USD", lines=(line,), total_minor=minor, is_whole=whole,
        reason="billed_in_error", request_id=request,
    )  # fmt: skip


def refused(subject: str, reason: Refusal = Refusal.PAYMENT_FINAL, account: str = ACCOUNT) -> RequestRefused:
    return RequestRefused(account_id=account, subject=subject, reason=reason)


def moved(merge: str, account: str = ACCOUNT) -> AccountMoved:
    return AccountMoved(account_id=account, merge_id=merge, to_account_id=OTHER)


def report(account: str = "1010", sub_key: str = "lockbox", book: int = 100, **more: Any) -> ReconciliationReported:
    values: dict[str, Any] = {
        "day": BANK_DAY, "currency": "USD", "bank_minor": 90, "processor_minor": None, "difference_minor": book - 90,
        "open_exceptions": (AgeBucket(days="0-1", count=1, minor=10),), "positions": {"0": 1},
        "unexplained_minor": 7, **more,
    }  # fmt: skip
    return ReconciliationReported(account=account, sub_key=sub_key, book_minor=book, **values)


def exception(name: str, **more: Any) -> ExceptionChanged:
    values: dict[str, Any] = {
        "account": "1010", "sub_key": "lockbox", "currency": "USD", "kind": "missing", "minor": -10, "since": BANK_DAY,
        "state": "open", "reason": None, "references": ("L-" + name,), **more,
    }  # fmt: skip
    return ExceptionChanged(id="exc_0_" + name, **values)


MONTH: list[Event] = [
    held("pay_3_d", "pay_3_a"),
    attempt("pay_3_d", request="req_3_d"),
    asks("pay_3_d"),
    PaymentUnknown(account_id=ACCOUNT, payment_id="pay_3_d", attempt_id="att", since=AT),
    AttemptCancelRequested(account_id=ACCOUNT, payment_id="pay_3_d", attempt_id="att", request_id="req_3_c"),
    paid("pay_3_d", 60),
    allocated("pay_3_d", unapplied=60),
    issued(NEXT_INVOICE),
    allocated("pay_3_d", part(40, NEXT_INVOICE), unapplied=20),
    refused("req_3_f"),
    ChargeFound(
        **money(), **REF, payment_id="pay_3_d", attempt_id="att", case_id="case_3_d", charge_ref="ch2",
        settled_on=DAY,
    ),
    case_opened("case_3_d", "pay_3_d", "case_3_d"),
    case_decided("case_3_d", "pay_3_d", refund="rfd_3_d", request="req_3_k"),
    refund_opened("rfd_3_d", "pay_3_d", case="case_3_d"),
    sent("rfd_3_d", "pay_3_d"),
    completed("rfd_3_d", "pay_3_d"),
    bounced("rfd_3_d", "pay_3_d"),
    released("pay_3_a", part(100), unapplied=100),
    refund_opened("rfd_3_a", "pay_3_a", 70, needed=2),
    approved("rfd_3_a", "pay_3_a", last=False, request="req_3_1"),
    approved("rfd_3_a", "pay_3_a", last=True, request="req_3_2"),
    RefundStopRequested(account_id=ACCOUNT, refund_id="rfd_3_a", payment_id="pay_3_a", chargeback_id="du_1"),
    sent("rfd_3_a", "pay_3_a", 70),
    refund_opened("rfd_3_b", "pay_3_a", 30, needed=2),
    cancelled("rfd_3_b", "pay_3_a", 30),
    refused("rfd_3_c", Refusal.CREDIT_TOO_SMALL),
    disputed("du_1", "pay_3_a"),
    ChargebackDebited(
        **money(), **REF, chargeback_id="du_1", payment_id="pay_3_a", fee_minor=1500, debited_on=DAY
    ),
    lost("du_1", "pay_3_a", credit=30),
    disputed("du_2", "pay_3_d"),
    won("du_2", "pay_3_d"),
    disputed("du_3", "pay_3_d"),
    ChargebackDropped(account_id=ACCOUNT, chargeback_id="du_3", payment_id="pay_3_d"),
    cheque("pay_3_e"),
    allocated("pay_3_e", part(100)),
    released("pay_3_e", part(100)),
    returned("pay_3_e"),
    RecoveryPaid(**money(5), payment_id="pay_3_d"),
    voided(NEXT_INVOICE, 60, whole=False, request="req_3_v"),
    transfer_sent("trf_3_a", ("pay_3_d", 10), ("case_3_d", 50)),
    transfer_back("trf_3_a", 60),
    transfer_sent("trf_3_b", ("pay_3_d", 5)),
    TransferCompleted(**money(5), transfer_id="trf_3_b"),
    refused("trf_3_c", Refusal.SAME_ACCOUNT),
    TransferReceived(**money(), transfer_id="trf_5_x", routed_to=OTHER),
    TransferRejected(**money(), transfer_id="trf_5_y", routed_to=OTHER, reason=Refusal.ACCOUNT_MOVED),
    MergeProposed(account_id=ACCOUNT, merge_id="mrg_3_a", routed_to=OTHER),
    MergeEnded(account_id=ACCOUNT, merge_id="mrg_3_a", reason=Refusal.ACCOUNT_BUSY),
    MergeAnswered(account_id=ACCOUNT, merge_id="mrg_5_x", routed_to=OTHER, reason=None),
    MergeProposed(account_id=ACCOUNT, merge_id="mrg_3_b", routed_to=OTHER),
    moved("mrg_3_b"),
    voided(INVOICE, 100, whole=True),
    MonthsMoved(
        account_id=ACCOUNT, merge_id="mrg_3_b", routed_to=OTHER, invoice_id=INVOICE, due_date="2027-01-01",
        currency="USD", lines=(PremiumLine(policy_id="P", coverage_month="2027-01", gross_minor=100),),
    ),
    refused("mrg_3_c", Refusal.ACCOUNT_MOVED),
]  # fmt: skip
