"""Operations that change what exists, and on what comes of them."""

from collections.abc import Sequence

from services.gateway.domain.changes import CaseStatus
from services.gateway.http.bodies import changes as bodies
from services.gateway.http.bodies.parsing import Body
from services.gateway.http.operations.base import AMOUNT_PROBLEMS, KEY_PROBLEMS
from services.gateway.http.resources import changes
from shared.auth.roles import Permission
from shared.http.operation import CURSOR, LIMIT, Operation, Parameter, get

_ACCOUNT = Parameter("account_id", "Only of this account")
_STATUS = Parameter("status", "Only these", {"type": "string", "enum": [status.value for status in CaseStatus]})
_AMOUNT = (*AMOUNT_PROBLEMS, "amount_not_positive", "value_unsupported")


def post(
    id: str,
    path: str,
    summary: str,
    answer: type,
    permission: Permission,
    body: type[Body],
    problems: Sequence[str],
) -> Operation:
    """Return a POST that is answered 202 until its outcome is final, then 201."""
    return Operation(
        id, "POST", path, summary, {201: answer, 202: answer}, permission, body, problems=(*KEY_PROBLEMS, *problems)
    )


CHANGES: tuple[Operation, ...] = (
    post("cancelPayment", "/v1/payments/{payment_id}/cancel", "Have a payment that has no end yet not made",
         changes.Request, Permission.PAY, bodies.EmptyBody, ("payment_unknown",)),
    post("decidePayment", "/v1/payments/{payment_id}/decision", "Charge a held payment after all, or cancel it",
         changes.Request, Permission.PAY, bodies.PaymentDecisionBody, ("value_unsupported", "payment_unknown")),
    post("voidInvoice", "/v1/invoices/{invoice_id}/void", "Take a bill back, or lines of it (finance)",
         changes.Request, Permission.KEEP_BOOKS, bodies.InvoiceVoidBody,
         ("value_unsupported", "month_invalid", "lines_empty", "lines_too_many", "line_repeated", "invoice_unknown")),
    get("listDuplicateCases", "/v1/duplicate-cases", "Money that came twice, newest first",
        changes.DuplicateCasePage, ("account_unknown",), CURSOR, LIMIT, _ACCOUNT, _STATUS),
    get("getDuplicateCase", "/v1/duplicate-cases/{case_id}", "A duplicate case",
        changes.DuplicateCase, ("case_unknown",)),
    post("decideDuplicateCase", "/v1/duplicate-cases/{case_id}/decision", "Say what becomes of money that came twice",
         changes.Request, Permission.PAY, bodies.CaseDecisionBody, ("value_unsupported", "case_unknown")),
    post("createRefund", "/v1/refunds", "Ask for a payment's money back",
         changes.Refund, Permission.REFUND, bodies.RefundBody, (*_AMOUNT, "account_unknown", "payment_unknown")),
    get("getRefund", "/v1/refunds/{refund_id}", "A refund, asked for or of a case",
        changes.Refund, ("refund_unknown",)),
    post("approveRefund", "/v1/refunds/{refund_id}/approval", "Approve or reject a large refund (finance)",
         changes.Request, Permission.APPROVE, bodies.ApprovalBody, ("value_unsupported", "refund_unknown")),
    post("createTransfer", "/v1/transfers", "Move credit from one household to another (finance)",
         changes.Transfer, Permission.KEEP_BOOKS, bodies.TransferBody, (*_AMOUNT, "account_unknown")),
    get("getTransfer", "/v1/transfers/{transfer_id}", "A transfer, by the household that sends it",
        changes.Transfer, ("transfer_unknown",)),
    post("createMerge", "/v1/merges", "Make one household part of another (finance)",
         changes.Merge, Permission.KEEP_BOOKS, bodies.MergeBody, ("account_unknown",)),
    get("getMerge", "/v1/merges/{merge_id}", "A merge", changes.Merge, ("merge_unknown",)),
    get("getRequest", "/v1/requests/{request_id}", "A request to change what exists",
        changes.Request, ("request_unknown",)),
)  # fmt: skip
