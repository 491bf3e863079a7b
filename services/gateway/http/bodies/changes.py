"""Bodies of POSTs that change what exists, and of refunds, transfers and merges."""

from typing import Annotated, Literal

from pydantic import Field

from services.gateway.domain.fields import wrong_month
from services.gateway.http.bodies.household import MOST_LINES, MonthText
from services.gateway.http.bodies.parsing import AccountIdText, AmountBody, Body, PaymentIdText, Text
from shared.contracts.event import PolicyMonth
from shared.http.problems import Problem


class EmptyBody(Body):
    """Nothing but `{}`: what is meant stands in the address."""


class PaymentDecisionBody(Body):
    decision: Literal["charge", "cancel"]


class CaseDecisionBody(Body):
    decision: Literal["refund", "credit", "not_a_duplicate"]


class RefundBody(Body):
    """`release` lets lines that the payment has paid become open again for it."""

    account_id: AccountIdText
    payment_id: PaymentIdText
    amount: AmountBody
    reason: Literal["requested_by_member", "overpaid", "billed_in_error"]
    release: bool = False


class ApprovalBody(Body):
    """`digest` is that of what is decided on, as it was shown."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", min_length=64, max_length=64)]
    decision: Literal["approve", "reject"]


class TransferBody(Body):
    account_id: AccountIdText
    to_account_id: AccountIdText
    amount: AmountBody
    reason: Literal["wrong_account", "same_family"]


class MergeBody(Body):
    """`account_id` becomes part of `to_account_id`."""

    account_id: AccountIdText
    to_account_id: AccountIdText


class VoidLineBody(Body):
    policy_id: Text
    coverage_month: MonthText


class InvoiceVoidBody(Body):
    """Without `lines` the whole bill is taken back."""

    reason: Literal["billed_in_error", "coverage_ended", "plan_changed"]
    lines: Annotated[list[VoidLineBody], Field(min_length=1, max_length=MOST_LINES)] | None = None


def check_void(body: InvoiceVoidBody) -> tuple[PolicyMonth, ...]:
    """Return the lines that are named, none where all are meant; one that breaks a rule raises the Problem."""
    lines = tuple(
        PolicyMonth(policy_id=line.policy_id, coverage_month=line.coverage_month) for line in body.lines or ()
    )
    wrong = wrong_month(lines)
    if wrong is not None:
        number, field, code = wrong
        raise Problem(code, f"/lines/{number}/{field}")
    return lines
