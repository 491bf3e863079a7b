"""From rows of a household's questions to resources."""

import msgspec

from services.gateway.domain.payment import (
    TELLS_WHY,
    InvoiceStatus,
    PaymentStatus,
    invoice_status,
    payment_status,
)
from services.gateway.http.database import Row
from services.gateway.http.resources.household import (
    AllocationView,
    HistoryItem,
    Invoice,
    InvoiceLine,
    NextAction,
    Payment,
    Refunded,
)
from shared.clock import rfc3339
from shared.http.resource import Amount


def payment_of(row: Row) -> Payment:
    """Return a payment from a row of `payment`."""
    (payment_id, account_id, reference, shard, position, created_at, body, billing, ledger_position, reason, settled_at,
     lines, held_until, twin, action_url, action_expires_at, refunded, disputed, unapplied) = row  # fmt: skip
    status = payment_status(PaymentStatus(billing) if billing else None, ledger_position is not None)
    waits = status is PaymentStatus.ACTION_REQUIRED
    return Payment(
        payment_id=payment_id,
        reference=reference,
        account_id=account_id,
        invoice_id=body["invoice_id"],
        policy_id=body.get("policy_id"),
        amount=Amount(minor=body["amount_minor"], currency=body["currency"]),
        method="card" if "method" in body else "check",
        status=status,
        reason=reason if status in TELLS_WHY else None,
        next_action=NextAction(url=action_url, expires_at=rfc3339(action_expires_at)) if waits else None,
        held_until=rfc3339(held_until) if held_until else None,
        twin_payment_id=twin,
        refunded=Refunded(minor=refunded),
        disputed=disputed,
        allocations=tuple(msgspec.convert(one, AllocationView) for one in lines or ()),
        unapplied_minor=unapplied,
        created_at=rfc3339(created_at),
        settled_at=rfc3339(settled_at) if settled_at and status is PaymentStatus.SETTLED else None,
        position=f"gateway.{shard}.{position}",
    )


def invoice_of(row: Row) -> Invoice:
    """Return an invoice from a row of `invoices`."""
    (invoice_id, account_id, source, shard, position, created_at, due_date, currency, billed, number, total, paid,
     reason, voided, is_void) = row  # fmt: skip
    lines = tuple(msgspec.convert(line, InvoiceLine) for line in billed)
    asked = sum(line.gross_minor - line.aptc_minor - line.state_subsidy_minor for line in lines)
    paid_minor, voided_minor = int(paid or 0), int(voided or 0)
    left = None if total is None else int(total) - voided_minor
    status = invoice_status(left, paid_minor, reason is not None, bool(is_void))
    total_minor = asked if left is None else left
    return Invoice(
        invoice_id=invoice_id,
        account_id=account_id,
        number=number,
        status=status,
        reason=reason if status is InvoiceStatus.REFUSED else None,
        due_date=due_date,
        currency=currency,
        lines=lines,
        total_minor=total_minor,
        voided_minor=voided_minor,
        paid_minor=paid_minor,
        due_minor=0 if status is InvoiceStatus.REFUSED else max(0, total_minor - paid_minor),
        created_at=rfc3339(created_at),
        position=f"{source}.{shard}.{position}",
    )


def history_item(row: Row) -> HistoryItem:
    """Return a fact from a row of `history`."""
    (source, shard, position, kind, recorded_at, effective, subject, minor, currency, reason, rule, payment_id,
     postings, account_id) = row  # fmt: skip
    return HistoryItem(
        account_id=account_id,
        type=kind,
        position=f"{source}.{shard}.{position}",
        recorded_at=rfc3339(recorded_at),
        effective_date=effective.isoformat(),
        subject=subject,
        amount=None if minor is None else Amount(minor=minor, currency=currency),
        reason=reason,
        rule=rule,
        payment_id=payment_id,
        postings=None if postings is None else tuple(postings),
    )
