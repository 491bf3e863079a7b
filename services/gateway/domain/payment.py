"""A payment's status: a function of the request, billing's word and the ledger's position, in any order of arrival."""

from enum import StrEnum


class PaymentStatus(StrEnum):
    """Where a payment is; the last five, and `refused`, are final."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    HELD = "held"
    ACTION_REQUIRED = "action_required"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REVERSED = "reversed"


FINAL = frozenset(
    {
        PaymentStatus.REFUSED,
        PaymentStatus.SETTLED,
        PaymentStatus.DECLINED,
        PaymentStatus.CANCELLED,
        PaymentStatus.REVERSED,
    }
)


def payment_status(billing: PaymentStatus | None, ledger_posted: bool) -> PaymentStatus:
    """Return the status: `accepted` until billing speaks, `settled` only when the ledger has posted it too."""
    if billing is None:
        return PaymentStatus.ACCEPTED
    if billing is PaymentStatus.SETTLED and not ledger_posted:
        return PaymentStatus.PENDING
    return billing


class AccountStatus(StrEnum):
    """Where an account is; `accepted` until billing speaks."""

    ACCEPTED = "accepted"
    OPEN = "open"
    REFUSED = "refused"


class InvoiceStatus(StrEnum):
    """Where an invoice is; `accepted` until billing speaks."""

    ACCEPTED = "accepted"
    OPEN = "open"
    PAID = "paid"
    REFUSED = "refused"


def invoice_status(total_minor: int | None, paid_minor: int, refused: bool) -> InvoiceStatus:
    """Return an invoice's status; `total_minor` is None until billing has issued it, and then no refusal counts."""
    if total_minor is not None:
        return InvoiceStatus.PAID if paid_minor >= total_minor else InvoiceStatus.OPEN
    return InvoiceStatus.REFUSED if refused else InvoiceStatus.ACCEPTED


def account_status(opened: bool, refused: bool) -> AccountStatus:
    """Return an account's status; once it is open no refusal counts."""
    if opened:
        return AccountStatus.OPEN
    return AccountStatus.REFUSED if refused else AccountStatus.ACCEPTED
