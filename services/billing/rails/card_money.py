"""What the processor gives back or takes back: refunds and disputes, and single charges."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import stripe

from services.billing.rails.card_calls import LOST, PAGE, CardCalls, no_yes, place, timed
from services.billing.rails.card_objects import BalanceTransaction, Charge, Dispute, Intent, Line, Refund
from services.billing.rails.port import (
    Busy,
    Canceled,
    ChargeAnswer,
    DisputeState,
    Misasked,
    NoAnswer,
    RailDown,
    RefundAnswer,
    Refunded,
    RefundOrder,
    RefundState,
    Refused,
    Succeeded,
)

REFUNDS = "/v1/refunds"
WITH_LINES = ["balance_transaction", "failure_balance_transaction"]
WITH_INTENT = ["payment_intent"]
WITH_LINE = ["balance_transaction"]
NEVER = ("charge_already_refunded", "charge_disputed")
STATUS: dict[str, Literal["pending", "succeeded", "failed", "canceled"]] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
}


class RefundPage(msgspec.Struct, frozen=True):
    """A page of refunds, newest first."""

    data: tuple[Refund, ...]
    has_more: bool = False


_read_refund = msgspec.json.Decoder(Refund).decode
_read_refunds = msgspec.json.Decoder(RefundPage).decode
_read_dispute = msgspec.json.Decoder(Dispute).decode
_read_charge = msgspec.json.Decoder(Charge).decode


class CardMoney(CardCalls):
    """Refunds, disputes and charges by their own names."""

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give back a part of a charge, our ids in the refund's metadata."""
        call = self._raw(
            "post",
            REFUNDS,
            charge=order.charge_ref,
            amount=order.amount_minor,
            reason="requested_by_customer",
            metadata={
                "tenant": order.tenant,
                "account_id": order.account_id,
                "payment_id": order.payment_id,
                "refund_id": order.refund_id,
            },
            expand=WITH_LINES,
            idempotency_key=order.key,
        )
        try:
            return Refunded(refund_of(_read_refund(await timed("refund", call))))
        except stripe.InvalidRequestError as error:
            return _refusal(error)
        except stripe.IdempotencyError as error:
            return Busy() if error.http_status == 409 else NoAnswer(spoiled=True)
        except stripe.StripeError as error:
            return no_yes(error)
        except LOST:
            return NoAnswer()

    async def refunds_of(self, intent_ref: str) -> Sequence[RefundState]:
        """Return all refunds of an intent (RailDown)."""
        found: list[Refund] = []
        asked = {"payment_intent": intent_ref, "limit": PAGE, "expand": [f"data.{one}" for one in WITH_LINES]}
        while True:
            more = {"starting_after": found[-1].id} if found else {}
            body = await self._read("refund_list", REFUNDS, **asked, **more)
            if body is None:
                raise RailDown(f"refund_list: {intent_ref} is not known")
            page = _read_refunds(body)
            found.extend(page.data)
            if not page.has_more:
                return [refund_of(one) for one in found]

    async def refund_state(self, ref: str) -> RefundState | None:
        """Return a refund, None where the processor does not know it (RailDown)."""
        body = await self._read("refund_retrieve", place("refunds", ref), expand=WITH_LINES)
        return None if body is None else refund_of(_read_refund(body))

    async def dispute(self, ref: str) -> DisputeState | None:
        """Return a dispute with our ids, None where the processor does not know it (RailDown)."""
        body = await self._read("dispute_retrieve", place("disputes", ref), expand=WITH_INTENT)
        return None if body is None else dispute_of(_read_dispute(body))

    async def charge(self, ref: str) -> ChargeAnswer:
        """Read a charge: succeeded, or cancelled where it took nothing (RailDown)."""
        body = await self._read("charge_retrieve", place("charges", ref), expand=WITH_LINE)
        if body is None:
            return Misasked("resource_missing")
        charge = _read_charge(body)
        if charge.status != "succeeded":
            return Canceled(None)
        return Succeeded(
            ref=charge.payment_intent or "",
            charge_ref=charge.id,
            amount_minor=charge.amount,
            currency=charge.currency.upper(),
            settled_at=settled_at(charge),
        )


def _refusal(error: stripe.InvalidRequestError) -> Refused | Busy | Misasked:
    """Return a no for good only where the charge can give back no such amount; all else asks wrongly."""
    code = error.code or str(error.http_status)
    if error.http_status in (409, 429):
        return Busy()
    return Refused(code) if code in NEVER or error.param == "amount" else Misasked(code)


def settled_at(charge: Charge) -> datetime:
    """Return when the charge's line came into the processor's books."""
    line = charge.balance_transaction
    created = line.created if isinstance(line, BalanceTransaction) else charge.created
    return datetime.fromtimestamp(created, UTC)


def refund_of(refund: Refund) -> RefundState:
    """Return a refund in our words; its lines are expanded."""
    line, undone = refund.balance_transaction, refund.failure_balance_transaction
    sent = line.created if isinstance(line, BalanceTransaction) else refund.created
    return RefundState(
        ref=refund.id,
        refund_id=refund.metadata.get("refund_id"),
        status=STATUS.get(refund.status, "pending"),
        reason=refund.failure_reason or "unknown",
        sent_at=datetime.fromtimestamp(sent, UTC),
        ended_at=datetime.fromtimestamp(undone.created, UTC) if isinstance(undone, BalanceTransaction) else None,
    )


def dispute_of(dispute: Dispute) -> DisputeState:
    """Return a dispute in our words; its intent is expanded."""
    intent = dispute.payment_intent
    metadata = intent.metadata if isinstance(intent, Intent) else {}
    taken = _sum([line for line in dispute.balance_transactions if line.amount < 0])
    back = _sum([line for line in dispute.balance_transactions if line.amount > 0])
    due_by = dispute.evidence_details.due_by
    return DisputeState(
        ref=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount_minor=dispute.amount,
        currency=dispute.currency.upper(),
        intent_ref=intent.id if isinstance(intent, Intent) else intent or "",
        charge_ref=dispute.charge,
        tenant=metadata.get("tenant"),
        account_id=metadata.get("account_id"),
        payment_id=metadata.get("payment_id"),
        attempt_id=metadata.get("attempt_id"),
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
        due_by=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
        debited_minor=-taken.amount,
        fee_minor=taken.fee,
        debited_at=_at(taken),
        reinstated_minor=back.amount,
        reinstated_at=_at(back),
    )


def _sum(lines: list[Line]) -> Line:
    """Return the lines as one: all amounts and fees, the last one's time (0: there is none)."""
    return Line(
        amount=sum(line.amount for line in lines),
        fee=sum(line.fee for line in lines),
        created=max((line.created for line in lines), default=0),
    )


def _at(line: Line) -> datetime | None:
    return datetime.fromtimestamp(line.created, UTC) if line.created else None
