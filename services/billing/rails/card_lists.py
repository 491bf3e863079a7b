"""The processor's lists, entry by entry, in our words."""

from datetime import UTC, datetime
from typing import Any

from services.billing.rails.port import Told
from shared.clock import rfc3339
from shared.contracts.billing import ReportLine


def line_of(transaction: Any) -> ReportLine:
    """Return one balance transaction (its source expanded) as a line of the report."""
    source = transaction.source
    source_ref = source if isinstance(source, str) else getattr(source, "id", "")
    intent = getattr(source, "payment_intent", None)
    return ReportLine(
        transaction_ref=transaction.id,
        source_ref=source_ref or "",
        intent_ref=intent if isinstance(intent, str) else getattr(intent, "id", ""),
        kind=transaction.type,
        amount_minor=transaction.amount,
        fee_minor=transaction.fee,
        net_minor=transaction.net,
        currency=transaction.currency.upper(),
        created_at=rfc3339(datetime.fromtimestamp(transaction.created, UTC)),
    )


def told_of(event: Any) -> Told:
    """Return an event with the ids of ours that its object's metadata names."""
    thing = event.data.to_dict()["object"]
    metadata = thing.get("metadata") or {}
    return Told(
        event_id=event.id,
        kind=event.type,
        object_id=thing["id"],
        tenant=metadata.get("tenant"),
        account_id=metadata.get("account_id"),
        attempt_id=metadata.get("attempt_id"),
    )
