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


TELLS_WHY = frozenset(
    {
        PaymentStatus.REFUSED,
        PaymentStatus.HELD,
        PaymentStatus.DECLINED,
        PaymentStatus.CANCELLED,
        PaymentStatus.REVERSED,
    }
)
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
    MOVED = "moved"
    REFUSED = "refused"


class InvoiceStatus(StrEnum):
    """Where an invoice is; `accepted` until billing speaks."""

    ACCEPTED = "accepted"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    REFUSED = "refused"


def invoice_status(total_minor: int | None, paid_minor: int, refused: bool, void: bool = False) -> InvoiceStatus:
    """Return an invoice's status; `total_minor`, less what was voided, is None until billing has issued it.

    An issued one is not refused, whatever is said of it.
    """
    if void:
        return InvoiceStatus.VOID
    if total_minor is not None:
        return InvoiceStatus.PAID if paid_minor >= total_minor else InvoiceStatus.OPEN
    return InvoiceStatus.REFUSED if refused else InvoiceStatus.ACCEPTED


def account_status(opened: bool, refused: bool, moved: bool = False) -> AccountStatus:
    """Return an account's status; once it is open no refusal counts."""
    if opened:
        return AccountStatus.MOVED if moved else AccountStatus.OPEN
    return AccountStatus.REFUSED if refused else AccountStatus.ACCEPTED
