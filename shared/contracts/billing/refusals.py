"""Why billing says no. Words for people are in the gateway's catalogue of errors; a word here is for ever."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why billing refused, in order of precedence within each kind of request."""

    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_EXISTS = "account_exists"
    ACCOUNT_MOVED = "account_moved"
    INVOICE_EXISTS = "invoice_exists"
    AMOUNT_TOO_LARGE = "amount_too_large"

    INVOICE_UNKNOWN = "invoice_unknown"
    INVOICE_VOID = "invoice_void"
    POLICY_UNKNOWN = "policy_unknown"
    CURRENCY_MISMATCH = "currency_mismatch"
    INVOICE_PAID = "invoice_paid"
    INVOICE_HAS_OPEN_PAYMENT = "invoice_has_open_payment"
    AMOUNT_NOT_DUE = "amount_not_due"
    CHECK_ALREADY_RECEIVED = "check_already_received"

    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_FINAL = "payment_final"
    PAYMENT_NOT_HELD = "payment_not_held"
    PAYMENT_NOT_SETTLED = "payment_not_settled"

    CASE_UNKNOWN = "case_unknown"
    CASE_DECIDED = "case_decided"
    PAYMENT_DISPUTED = "payment_disputed"
    NO_WAY_BACK = "no_way_back"
    CREDIT_TOO_SMALL = "credit_too_small"
    REFUND_UNKNOWN = "refund_unknown"
    REFUND_NOT_WAITING = "refund_not_waiting"
    DIGEST_MISMATCH = "digest_mismatch"
    APPROVER_REPEATED = "approver_repeated"

    LINE_UNKNOWN = "line_unknown"
    SAME_ACCOUNT = "same_account"
    ACCOUNT_BUSY = "account_busy"

    LINE_REPEATED = "line_repeated"
    STATEMENT_OUT_OF_ORDER = "statement_out_of_order"
    OPENING_DIFFERS = "opening_differs"
