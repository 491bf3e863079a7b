"""Which lines a payment pays: line by line in the bill's order, each up to what it owes."""

from services.billing.domain.household import Invoice
from shared.contracts.event import Allocation


def allocate_in_order(amount_minor: int, invoice_id: str, invoice: Invoice) -> tuple[tuple[Allocation, ...], int]:
    """Return the parts of `amount_minor` that pay the bill's lines, and what is left over.

    The parts are positive; parts and rest sum to the amount exactly.
    """
    parts: list[Allocation] = []
    left = amount_minor
    for line in invoice.lines:
        paid = min(left, line.due_minor)
        if paid > 0:
            parts.append(
                Allocation(
                    invoice_id=invoice_id,
                    policy_id=line.policy_id,
                    coverage_month=line.coverage_month,
                    amount_minor=paid,
                )
            )
            left -= paid
    return tuple(parts), left
