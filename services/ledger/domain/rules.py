"""The posting rules: one function each, from a fact of billing to one balanced step.

Sub-keys of member accounts name the household (and policy month); those of carrier accounts would name the carrier.
Policies do not say their carrier yet, so the policy stands for it: 2220 is kept per policy, 1220, 1230 and 2210 per
policy and month.
"""

import msgspec

from services.ledger.domain.chart import Side
from shared.contracts.billing import (
    AttemptRegistered,
    ChargeFound,
    CheckPosted,
    InvoiceIssued,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
)
from shared.contracts.event import Allocation, PremiumLine
from shared.contracts.ledger import AccountCode, Posting


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step of one rule, before it has an id and has met the household's limits."""

    rule: str
    effective_date: str
    currency: str
    postings: tuple[Posting, ...]
    payment_id: str | None = None
    invoice_id: str | None = None
    processor_ref: str | None = None
    reverses: str | None = None
    case_id: str | None = None
    reference: str | None = None
    proposal_id: str | None = None


def leg(side: Side, code: AccountCode, sub_key: str, amount_minor: int) -> Posting:
    """Return one leg; `amount_minor` is above zero."""
    return Posting(code=code, sub_key=sub_key, side=side, amount_minor=amount_minor)


def carrier_of(policy_id: str) -> str:
    """Return whom the premium of a policy is owed to; until policies name their carrier, the policy itself."""
    return policy_id


def member_month(account_id: str, policy_id: str, month: str) -> str:
    """Return the sub-key of what a household owes for a policy and month."""
    return f"{account_id}/{policy_id}/{month}"


def policy_month(policy_id: str, month: str) -> str:
    """Return the sub-key of a policy's month in subsidy and carrier accounts."""
    return f"{policy_id}/{month}"


def premium_billed(bill: InvoiceIssued, line: PremiumLine, on: str) -> Step | None:
    """PR-01: D 1210 member share, D 1220 APTC, D 1230 state subsidy / C 2210 gross; None for a line of nothing.

    A share below zero (subsidies above the gross) is a credit of 1210.
    """
    postings = line_legs(bill.account_id, line, billed=True)
    return Step("PR-01", on, bill.currency, postings, invoice_id=bill.invoice_id) if postings else None


def line_legs(account_id: str, line: PremiumLine, *, billed: bool) -> tuple[Posting, ...]:
    """Return the legs of a line as it is billed, or their mirror as it is taken back; without those of nothing."""
    month = policy_month(line.policy_id, line.coverage_month)
    shares: tuple[tuple[int, AccountCode, str], ...] = (
        (line.member_minor, "1210", f"{account_id}/{month}"),
        (line.aptc_minor, "1220", month),
        (line.state_subsidy_minor, "1230", month),
    )
    gross: tuple[tuple[int, AccountCode, str], ...] = ((-line.gross_minor, "2210", month),)
    legs = shares + gross if billed else gross + shares
    return tuple(
        [
            leg("D" if (minor > 0) is billed else "C", code, sub_key, abs(minor))
            for minor, code, sub_key in legs
            if minor
        ]
    )


def payment_pending(attempt: AttemptRegistered, on: str) -> Step:
    """PR-04: D 1120 / C 2310; what the member owes stays untouched until the money is there."""
    minor = attempt.amount_minor
    postings = (leg("D", "1120", attempt.processor, minor), leg("C", "2310", attempt.payment_id, minor))
    return Step("PR-04", on, attempt.currency, postings, attempt.payment_id, processor_ref=attempt.processor_ref)


def payment_settled(payment: PaymentSettled) -> Step:
    """PR-05 for cards: D 1125, D 2310 / C 1120, C 2110, on the processor's own date."""
    minor = payment.amount_minor
    postings = (
        leg("D", "1125", payment.processor, minor),
        leg("D", "2310", payment.payment_id, minor),
        leg("C", "1120", payment.processor, minor),
        leg("C", "2110", payment.account_id, minor),
    )
    return Step(
        "PR-05", payment.settled_on, payment.currency, postings,
        payment.payment_id, payment.invoice_id, payment.processor_ref,
    )  # fmt: skip


def charge_without_pending(charge: PaymentSettled | ChargeFound) -> Step:
    """PR-05x: D 1125 / C 2110, where nothing is pending: a success after its end, or a second charge."""
    postings = (
        leg("D", "1125", charge.processor, charge.amount_minor),
        leg("C", "2110", charge.account_id, charge.amount_minor),
    )
    invoice_id = charge.invoice_id if isinstance(charge, PaymentSettled) else None
    case_id = charge.case_id if isinstance(charge, ChargeFound) else None
    return Step(
        "PR-05x", charge.settled_on, charge.currency, postings, charge.payment_id, invoice_id, charge.processor_ref,
        case_id=case_id,
    )  # fmt: skip


def check_posted(check: CheckPosted) -> Step:
    """PR-05x of a cheque: D 1010 / C 2110, on the day the bank took it in."""
    minor = check.amount_minor
    postings = (leg("D", "1010", check.bank_account, minor), leg("C", "2110", check.account_id, minor))
    return Step(
        "PR-05x", check.received_on, check.currency, postings, check.payment_id, check.invoice_id,
        reference=check.bank_reference,
    )  # fmt: skip


def premium_paid(payment: PaymentAllocated, part: Allocation, on: str) -> Step:
    """PR-06: D 2110, D 2210 / C 1210, C 2220; what is collected becomes owed to the carrier."""
    minor = part.amount_minor
    postings = (
        leg("D", "2110", payment.account_id, minor),
        leg("D", "2210", policy_month(part.policy_id, part.coverage_month), minor),
        leg("C", "1210", member_month(payment.account_id, part.policy_id, part.coverage_month), minor),
        leg("C", "2220", carrier_of(part.policy_id), minor),
    )
    return Step("PR-06", on, payment.currency, postings, payment.payment_id, part.invoice_id)


def pending_undone(payment: PaymentDeclined | PaymentCancelled, on: str) -> Step:
    """PR-07: D 2310 / C 1120; the pending entry of a registered attempt is undone."""
    minor = payment.amount_minor
    postings = (leg("D", "2310", payment.payment_id, minor), leg("C", "1120", payment.processor, minor))
    return Step("PR-07", on, payment.currency, postings, payment.payment_id, payment.invoice_id)
