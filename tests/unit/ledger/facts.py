"""Facts of money that is taken back, given back, or passed on; the payment `pay_3_1` unless told."""

from typing import Any

from shared.contracts.billing import (
    ChargebackDebited,
    ChargebackLost,
    ChargebackWon,
    CheckPosted,
    InvoiceVoided,
    PaymentAllocated,
    PaymentDeallocated,
    PaymentReturned,
    RecoveryPaid,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
    Refusal,
    Source,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Allocation, PremiumLine
from tests.unit.ledger.story import ACCOUNT, MONTH, POLICY

PAYMENT = "pay_3_1"


def part(
    minor: int = 18_165, invoice_id: str = "inv_3_1", policy_id: str = POLICY, coverage_month: str = MONTH
) -> Allocation:
    return Allocation(
        invoice_id=invoice_id, policy_id=policy_id, coverage_month=coverage_month, amount_minor=minor
    )  # fmt: skip


def paying(*parts: Allocation, payment_id: str = PAYMENT) -> PaymentAllocated:
    return PaymentAllocated(
        account_id=ACCOUNT, payment_id=payment_id, currency="USD", allocations=parts, unapplied_minor=0
    )


def unpaid(*parts: Allocation, payment_id: str = PAYMENT, case_id: str | None = None) -> PaymentDeallocated:
    return PaymentDeallocated(
        account_id=ACCOUNT, payment_id=payment_id, currency="USD", allocations=parts, unapplied_minor=0,
        reason="refund", subject="rfd_3_1", case_id=case_id,
    )  # fmt: skip


def voided(*lines: PremiumLine, invoice_id: str = "inv_3_1") -> InvoiceVoided:
    return InvoiceVoided(
        account_id=ACCOUNT, invoice_id=invoice_id, currency="USD", lines=lines,
        total_minor=sum(line.member_minor for line in lines), is_whole=True, reason="billed_in_error",
    )  # fmt: skip


def check(minor: int = 18_165, payment_id: str = PAYMENT) -> CheckPosted:
    return CheckPosted(
        account_id=ACCOUNT, payment_id=payment_id, reference="REF", invoice_id="inv_3_1", bank_account="trust-1",
        bank_reference="LBX-7", amount_minor=minor, currency="USD", received_on="2026-02-11",
    )  # fmt: skip


def returned(from_credit_minor: int, recovery_minor: int = 0, payment_id: str = PAYMENT) -> PaymentReturned:
    return PaymentReturned(
        account_id=ACCOUNT, payment_id=payment_id, reference="REF", invoice_id="inv_3_1", bank_account="trust-1",
        line_ref="L-9", amount_minor=from_credit_minor + recovery_minor, from_credit_minor=from_credit_minor,
        recovery_minor=recovery_minor, currency="USD", returned_on="2026-02-16",
    )  # fmt: skip


def _refund(minor: int, refund_id: str, payment_id: str, case_id: str | None) -> dict[str, Any]:
    return {
        "account_id": ACCOUNT, "refund_id": refund_id, "payment_id": payment_id, "amount_minor": minor,
        "currency": "USD", "case_id": case_id,
    }  # fmt: skip


def opened(
    minor: int = 1_835, refund_id: str = "rfd_3_1", payment_id: str = PAYMENT, case_id: str | None = None
) -> RefundOpened:
    return RefundOpened(
        **_refund(minor, refund_id, payment_id, case_id), fund_id=payment_id, reference="REF", reason="overpaid",
        processor="card", processor_ref="pi_1", charge_ref="ch_1", approvals_needed=0, digest="d", approve_by=None,
    )  # fmt: skip


def sent(
    minor: int = 1_835, refund_id: str = "rfd_3_1", payment_id: str = PAYMENT, case_id: str | None = None
) -> RefundSent:
    return RefundSent(
        **_refund(minor, refund_id, payment_id, case_id), processor="card", processor_ref="pi_1", refund_ref="re_1",
        sent_on="2026-02-12",
    )  # fmt: skip


def bounced(
    minor: int = 1_835, refund_id: str = "rfd_3_1", payment_id: str = PAYMENT, case_id: str | None = None
) -> RefundBounced:
    return RefundBounced(
        **_refund(minor, refund_id, payment_id, case_id), fund_id=payment_id, reference="REF", processor="card",
        processor_ref="pi_1", refund_ref="re_1", bounced_on="2026-02-20", reason="closed",
    )  # fmt: skip


def withdrawn(
    minor: int = 1_835, refund_id: str = "rfd_3_1", payment_id: str = PAYMENT, case_id: str | None = None
) -> RefundCancelled:
    return RefundCancelled(
        **_refund(minor, refund_id, payment_id, case_id), fund_id=payment_id, reference="REF", reason="rejected"
    )


def debited(
    minor: int = 20_000, fee_minor: int = 1_500, chargeback_id: str = "du_1", payment_id: str = PAYMENT
) -> ChargebackDebited:
    return ChargebackDebited(
        account_id=ACCOUNT, chargeback_id=chargeback_id, payment_id=payment_id, processor="card", processor_ref="pi_1",
        amount_minor=minor, fee_minor=fee_minor, currency="USD", debited_on="2026-02-14",
    )  # fmt: skip


def won(minor: int = 20_000, chargeback_id: str = "du_1", payment_id: str = PAYMENT) -> ChargebackWon:
    return ChargebackWon(
        account_id=ACCOUNT, chargeback_id=chargeback_id, payment_id=payment_id, reference="REF", processor="card",
        processor_ref="pi_1", amount_minor=minor, currency="USD", reinstated_on="2026-03-01",
    )  # fmt: skip


def lost(
    from_credit_minor: int, recovery_minor: int = 0, chargeback_id: str = "du_1", payment_id: str = PAYMENT
) -> ChargebackLost:
    return ChargebackLost(
        account_id=ACCOUNT, chargeback_id=chargeback_id, payment_id=payment_id, fund_id=payment_id, reference="REF",
        processor="card", amount_minor=from_credit_minor + recovery_minor, from_credit_minor=from_credit_minor,
        recovery_minor=recovery_minor, currency="USD",
    )  # fmt: skip


def recovered(minor: int, payment_id: str = PAYMENT) -> RecoveryPaid:
    return RecoveryPaid(account_id=ACCOUNT, payment_id=payment_id, amount_minor=minor, currency="USD")


def passed_on(minor: int = 1_835, transfer_id: str = "trf_3_1", fund_id: str = PAYMENT) -> TransferSent:
    return TransferSent(
        account_id=ACCOUNT, transfer_id=transfer_id, routed_to="acc_b", amount_minor=minor, currency="USD",
        reason="same_family", sources=(Source(fund_id=fund_id, amount_minor=minor),),
    )  # fmt: skip


def taken_in(minor: int = 1_835, transfer_id: str = "trf_3_1") -> TransferReceived:
    return TransferReceived(
        account_id=ACCOUNT, transfer_id=transfer_id, routed_to="acc_a", amount_minor=minor, currency="USD"
    )


def came_back(minor: int = 1_835, transfer_id: str = "trf_3_1") -> TransferReturned:
    return TransferReturned(
        account_id=ACCOUNT, transfer_id=transfer_id, amount_minor=minor, currency="USD", reason=Refusal.ACCOUNT_UNKNOWN
    )
