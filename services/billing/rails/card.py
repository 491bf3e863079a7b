"""The card rail: PaymentIntents through the processor's own SDK, every answer typed."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import stripe

from services.billing.rails.card_calls import LOST, PAGE, no_yes, place, timed
from services.billing.rails.card_lists import line_of, told_of
from services.billing.rails.card_money import CardMoney, settled_at
from services.billing.rails.card_objects import Charge, Intent
from services.billing.rails.declines import reason_of, refusal_of
from services.billing.rails.port import (
    ActionRequired,
    Busy,
    Canceled,
    ChargeAnswer,
    CreateAnswer,
    Created,
    Misasked,
    NoAnswer,
    NoSuccess,
    Order,
    Processing,
    Refused,
    Succeeded,
    Told,
    Unconfirmed,
)
from shared.contracts.billing import ReportLine

INTENTS = "/v1/payment_intents"
WITH_CHARGE = ["latest_charge.balance_transaction"]
NET_KINDS = (
    "charge.succeeded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "refund.updated",
    "refund.failed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
)
UNEXPECTED_STATE = "payment_intent_unexpected_state"
_read_intent = msgspec.json.Decoder(Intent).decode


class CardRail(CardMoney):
    """The `Rail` of a processor that speaks Stripe's API."""

    async def create(self, order: Order) -> CreateAnswer:
        """Make an unconfirmed intent with our ids in its metadata."""
        call = self._intent(
            "post",
            INTENTS,
            amount=order.amount_minor,
            currency=order.currency.lower(),
            payment_method=order.token,
            capture_method="automatic",
            confirmation_method="automatic",
            confirm="false",
            metadata={
                "tenant": order.tenant,
                "account_id": order.account_id,
                "payment_id": order.payment_id,
                "attempt_id": order.attempt_id,
            },
            idempotency_key=order.key,
        )
        try:
            intent = await timed("create", call)
        except stripe.CardError as error:
            return Refused(reason_of(_error_of(error)))
        except stripe.InvalidRequestError as error:
            if error.http_status in (409, 429):
                return Busy()
            return Refused(refusal_of(error.code))
        except stripe.IdempotencyError as error:
            return Busy() if error.http_status == 409 else NoAnswer(spoiled=True)
        except stripe.StripeError as error:
            return no_yes(error)
        except LOST:
            return NoAnswer()
        return Created(intent.id)

    async def confirm(self, ref: str, return_url: str | None) -> ChargeAnswer:
        """Ask for the charge of a registered intent."""
        call = self._intent(
            "post",
            place("payment_intents", ref) + "/confirm",
            return_url=return_url or self._return_url,
            off_session="false",
            expand=WITH_CHARGE,
        )
        return await self._about(ref, "confirm", call)

    async def retrieve(self, ref: str) -> ChargeAnswer:
        """Read an intent's present state; valid for ever."""
        call = self._intent("get", place("payment_intents", ref), expand=WITH_CHARGE)
        return await self._about(ref, "retrieve", call)

    async def cancel(self, ref: str) -> ChargeAnswer:
        """Cancel an intent that has not charged."""
        call = self._intent("post", place("payment_intents", ref) + "/cancel", cancellation_reason="abandoned")
        return await self._about(ref, "cancel", call)

    async def _intent(self, method: str, path: str, **parameters: Any) -> Intent:
        return _read_intent(await self._raw(method, path, **parameters))

    async def _about(self, ref: str, name: str, call: Awaitable[Intent]) -> ChargeAnswer:
        try:
            intent = await timed(name, call)
        except stripe.CardError as error:
            return NoSuccess(reason_of(_error_of(error)))
        except stripe.InvalidRequestError as error:
            if error.http_status in (409, 429):
                return Busy()
            if error.code == UNEXPECTED_STATE and name != "retrieve":
                return await self.retrieve(ref)
            return Misasked(error.code or str(error.http_status))
        except stripe.StripeError as error:
            return no_yes(error)
        except LOST:
            return NoAnswer()
        return await self._state(intent)

    async def _state(self, intent: Intent) -> ChargeAnswer:
        match intent.status:
            case "succeeded":
                charge = intent.latest_charge
                if not isinstance(charge, Charge):
                    return await self.retrieve(intent.id)
                return _succeeded(intent, charge)
            case "requires_action":
                redirect = intent.next_action.redirect_to_url if intent.next_action is not None else None
                return ActionRequired(redirect.url if redirect is not None and redirect.url else self._return_url)
            case "requires_confirmation":
                return Unconfirmed()
            case "requires_payment_method":
                return NoSuccess(reason_of(intent.last_payment_error or {}))
            case "canceled":
                last = intent.last_payment_error
                return Canceled(reason_of(last) if last is not None else None)
            case _:
                return Processing()

    async def balance_lines(self, begin: datetime | None, end: datetime) -> Sequence[ReportLine]:
        """Return the processor's balance transactions of [begin, end), oldest first (RailDown)."""
        created: Any = {"lt": int(end.timestamp())}
        if begin is not None:
            created["gte"] = int(begin.timestamp())
        asked: Any = {"created": created, "limit": PAGE, "expand": ["data.source"]}
        found = await self._pages("balance_transactions", self._stripe.v1.balance_transactions.list_async, asked)
        return [line_of(each) for each in reversed(found)]

    async def stale(self, tenant: str, begin: datetime, end: datetime) -> Sequence[str]:
        """Return the tenant's intents made in [begin, end) that neither succeeded nor were cancelled (RailDown)."""
        asked: Any = {"created": {"gte": int(begin.timestamp()), "lt": int(end.timestamp())}, "limit": PAGE}
        found = await self._pages("list", self._stripe.v1.payment_intents.list_async, asked)
        ended = ("succeeded", "canceled", "processing")
        return [one.id for one in found if one.status not in ended and one.metadata.to_dict().get("tenant") == tenant]

    async def told_since(self, begin: datetime) -> Sequence[Told]:
        """Return the processor's events of the kinds we need since `begin`, oldest first (RailDown)."""
        asked: Any = {"created": {"gte": int(begin.timestamp())}, "types": list(NET_KINDS), "limit": PAGE}
        found = await self._pages("event_list", self._stripe.v1.events.list_async, asked)
        return [told_of(each) for each in reversed(found)]


def _succeeded(intent: Intent, charge: Charge) -> Succeeded:
    return Succeeded(
        ref=intent.id,
        charge_ref=charge.id,
        amount_minor=intent.amount_received,
        currency=intent.currency.upper(),
        settled_at=settled_at(charge),
    )


def _error_of(error: stripe.StripeError) -> Any:
    body = error.json_body
    return body.get("error", {}) if isinstance(body, dict) else {}
