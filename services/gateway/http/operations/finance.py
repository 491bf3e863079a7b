"""Operations on what finance hands in and asks after."""

from services.gateway.domain.reconciliation import ACCOUNTS, ExceptionState
from services.gateway.http.bodies import finance as bodies
from services.gateway.http.operations.base import AMOUNT_PROBLEMS
from services.gateway.http.operations.changes import post
from services.gateway.http.resources import finance
from services.gateway.http.resources.changes import Request
from services.gateway.http.resources.household import Payment
from shared.auth.roles import Permission
from shared.http.operation import CURSOR, LIMIT, Operation, Parameter, get

_STATE = Parameter("state", "Only these", {"type": "string", "enum": [state.value for state in ExceptionState]})
_CODE = Parameter("account", "Only of this account of the books", {"type": "string", "enum": sorted(ACCOUNTS)})
_DAYS = ("date_invalid", "day_in_future")

FINANCE: tuple[Operation, ...] = (
    post("createReceipt", "/v1/receipts", "Hand in a cheque of the lockbox (finance)",
         Payment, Permission.KEEP_BOOKS, bodies.ReceiptBody,
         (*AMOUNT_PROBLEMS, *_DAYS, "amount_not_positive", "account_unknown", "invoice_unknown")),
    post("createBankStatement", "/v1/bank-statements", "Hand in a bank statement, or a page of one (finance)",
         finance.BankStatement, Permission.KEEP_BOOKS, bodies.BankStatementBody,
         (*AMOUNT_PROBLEMS, *_DAYS, "amount_zero", "amount_not_negative", "value_unsupported", "lines_too_many",
          "line_repeated", "payment_not_expected", "payment_unknown", "statement_unbalanced")),
    get("getBankStatement", "/v1/bank-statements/{statement_id}", "A bank statement",
        finance.BankStatement, ("statement_unknown",), permission=Permission.READ_BOOKS),
    get("getReconciliationDay", "/v1/reconciliation/days/{day}", "What a day came to, to the cent",
        finance.ReconciliationDay, ("day_unknown",), permission=Permission.READ_BOOKS),
    get("listReconciliationExceptions", "/v1/reconciliation/exceptions", "What differs, the oldest first",
        finance.ReconciliationExceptionPage, ("people_unavailable",), CURSOR, LIMIT, _STATE, _CODE,
        permission=Permission.READ_BOOKS),
    post("explainReconciliationException", "/v1/reconciliation/exceptions/{exception_id}/explanation",
         "Say why an exception is open (finance)", Request, Permission.KEEP_BOOKS, bodies.ExplanationBody,
         ("value_unsupported", "exception_unknown", "people_unavailable")),
)  # fmt: skip
