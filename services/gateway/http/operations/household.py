"""Operations on accounts, bills and payments."""

from services.gateway.domain.payment import PaymentStatus
from services.gateway.http.bodies.household import AccountBody, InvoiceBody, PaymentBody
from services.gateway.http.operations.base import AMOUNT_PROBLEMS, KEY_PROBLEMS
from services.gateway.http.resources import household
from shared.auth.roles import Permission
from shared.http.operation import CURSOR, LIMIT, Operation, Parameter, get

_DAY = {"type": "string", "format": "date"}
_STATUS = Parameter("status", "Only these", {"type": "string", "enum": [status.value for status in PaymentStatus]})
_FROM = Parameter("from", "Asked for on or after this day, in the exchange's zone", _DAY)
_TO = Parameter("to", "Asked for on or before this day", _DAY)
_FOLLOWED = Parameter(
    "account_id", "Of this account; staff must name one. Else of all accounts of the token, at most 50"
)
_WHOLE = ("history_not_ready", "account_on_hold")

HOUSEHOLD: tuple[Operation, ...] = (
    Operation(
        "createAccount", "POST", "/v1/accounts", "Open a billing account (staff)",
        {201: household.Account, 202: household.Account}, Permission.OPEN_ACCOUNT, AccountBody,
        problems=(*KEY_PROBLEMS, "language_unsupported", "email_invalid", "people_unavailable"),
    ),
    get("getAccount", "/v1/accounts/{account_id}", "What an account owes, its credit and last payments",
         household.Account, ("account_unknown",)),
    get("getBalances", "/v1/accounts/{account_id}/balances", "The ledger's balances of an account",
         household.Balances, ("account_unknown", *_WHOLE)),
    get("getHistory", "/v1/accounts/{account_id}/history", "An account's story, newest first",
         household.HistoryPage, ("account_unknown", *_WHOLE), CURSOR, LIMIT),
    get("listInvoices", "/v1/accounts/{account_id}/invoices", "An account's invoices, newest first",
         household.InvoicePage, ("account_unknown",), CURSOR, LIMIT),
    get("listPayments", "/v1/accounts/{account_id}/payments", "An account's payments, newest first",
         household.PaymentPage, ("account_unknown",), CURSOR, LIMIT, _STATUS, _FROM, _TO),
    Operation(
        "followEvents", "GET", "/v1/events", "What happens on accounts, as server-sent events",
        {200: household.HistoryItem}, Permission.READ, parameters=(_FOLLOWED,), stream=True,
        problems=("parameter_unknown", "parameter_invalid", "last_event_id_invalid", "account_unknown",
                  "streams_too_many", "streams_full"),
    ),
    Operation(
        "createInvoice", "POST", "/v1/invoices", "Bill an account (staff)",
        {201: household.Invoice, 202: household.Invoice}, Permission.BILL, InvoiceBody,
        problems=(*KEY_PROBLEMS, *AMOUNT_PROBLEMS, "amount_negative", "date_invalid", "month_invalid", "lines_empty",
                  "lines_too_many", "line_repeated", "subsidies_exceed_gross", "account_unknown"),
    ),
    get("getInvoice", "/v1/invoices/{invoice_id}", "An invoice", household.Invoice, ("invoice_unknown",)),
    Operation(
        "createPayment", "POST", "/v1/payments", "Pay an invoice",
        {201: household.Payment, 202: household.Payment}, Permission.PAY, PaymentBody,
        problems=(*KEY_PROBLEMS, *AMOUNT_PROBLEMS, "amount_not_positive", "value_unsupported",
                  "return_url_invalid", "policy_unknown", "account_unknown", "invoice_unknown"),
    ),
    get("getPayment", "/v1/payments/{payment_id}", "A payment", household.Payment, ("payment_unknown",)),
    get("getReceipt", "/v1/payments/{payment_id}/receipt", "The receipt of a settled payment",
         household.Receipt, ("payment_unknown", "payment_not_settled")),
)  # fmt: skip
