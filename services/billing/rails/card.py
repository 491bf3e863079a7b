"""The card rail: PaymentIntents through the processor's own SDK, its retries off, every answer typed."""

import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import stripe

from services.billing.rails.card_lists import line_of, told_of
from services.billing.rails.card_objects import BalanceTransaction, Charge, Intent
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
    RailDown,
    Refused,
    Succeeded,
    Told,
    Unconfirmed,
)
from shared.contracts.billing import ReportLine
from shared.telemetry import metrics

T = TypeVar("T")

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 10
PAGE = 100
INTENTS = "/v1/payment_intents"
WITH_CHARGE = ["latest_charge.balance_transaction"]
NET_KINDS = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.canceled",
)
UNEXPECTED_STATE = "payment_intent_unexpected_state"
_read_intent = msgspec.json.Decoder(Intent).decode
LOST = (stripe.APIConnectionError, aiohttp.ClientError, TimeoutError, OSError)


class CardRail:
    """The `Rail` of a processor that speaks Stripe's API. Make it inside the event loop; `close` at the end."""

    processor = "card"

    def __init__(self, api_key: str, api_base: str | None, return_url: str) -> None:
        timeout = aiohttp.ClientTimeout(
            total=None, connect=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S
        )
        self._http = stripe.AIOHTTPClient(timeout=timeout)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base} if api_base else None,
            max_network_retries=0,
            http_client=self._http,
        )
        self._return_url = return_url

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
            intent = await _timed("create", call)
        except stripe.CardError as error:
            return Refused(reason_of(_error_of(error)))
        except stripe.InvalidRequestError as error:
            if error.http_status in (409, 429):
                return Busy()
            return Refused(refusal_of(error.code))
        except stripe.IdempotencyError as error:
            return Busy() if error.http_status == 409 else NoAnswer(spoiled=True)
        except stripe.StripeError as error:
            return _no_yes(error)
        except LOST:
            return NoAnswer()
        return Created(intent.id)

    async def confirm(self, ref: str) -> ChargeAnswer:
        """Ask for the charge of a registered intent."""
        call = self._intent(
            "post",
            f"{_path(ref)}/confirm",
            return_url=self._return_url,
            off_session="false",
            expand=WITH_CHARGE,
        )
        return await self._about(ref, "confirm", call)

    async def retrieve(self, ref: str) -> ChargeAnswer:
        """Read an intent's present state; valid for ever."""
        call = self._intent("get", _path(ref), expand=WITH_CHARGE)
        return await self._about(ref, "retrieve", call)

    async def cancel(self, ref: str) -> ChargeAnswer:
        """Cancel an intent that has not charged."""
        call = self._intent("post", f"{_path(ref)}/cancel", cancellation_reason="abandoned")
        return await self._about(ref, "cancel", call)

    async def _intent(self, method: str, path: str, **parameters: Any) -> Intent:
        """Call the SDK below its object layer, which costs more than all else of a call; its errors are the same."""
        answer = await self._stripe.raw_request_async(method, path, **parameters)
        return _read_intent(answer.body)

    async def _about(self, ref: str, name: str, call: Awaitable[Intent]) -> ChargeAnswer:
        try:
            intent = await _timed(name, call)
        except stripe.CardError as error:
            return NoSuccess(reason_of(_error_of(error)))
        except stripe.InvalidRequestError as error:
            if error.http_status in (409, 429):
                return Busy()
            if error.code == UNEXPECTED_STATE and name != "retrieve":
                return await self.retrieve(ref)
            return Misasked(error.code or str(error.http_status))
        except stripe.StripeError as error:
            return _no_yes(error)
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
        """Return the processor's events about intents since `begin`, oldest first (RailDown)."""
        asked: Any = {"created": {"gte": int(begin.timestamp())}, "types": list(NET_KINDS), "limit": PAGE}
        found = await self._pages("event_list", self._stripe.v1.events.list_async, asked)
        return [told_of(each) for each in reversed(found)]

    async def _pages(self, name: str, call: Any, asked: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        try:
            page = await _timed(name, call(asked))
            found.extend(page.data)
            while page.has_more:
                page = await _timed(name, call({**asked, "starting_after": found[-1].id}))
                found.extend(page.data)
        except (stripe.StripeError, *LOST) as error:
            raise RailDown(f"{name}: {type(error).__name__}") from error
        return found

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._http.close_async()  # type: ignore[no-untyped-call]


def _path(ref: str) -> str:
    return f"{INTENTS}/{quote(ref, safe='')}"


def _succeeded(intent: Intent, charge: Charge) -> Succeeded:
    line = charge.balance_transaction
    created = line.created if isinstance(line, BalanceTransaction) else charge.created
    return Succeeded(
        ref=intent.id,
        charge_ref=charge.id,
        amount_minor=intent.amount_received,
        currency=intent.currency.upper(),
        settled_at=datetime.fromtimestamp(created, UTC),
    )


def _no_yes(error: stripe.StripeError) -> Busy | NoAnswer | Misasked:
    """Return what an error that is neither the card's no nor a bad request leaves us with."""
    status = error.http_status
    if status in (409, 429):
        return Busy()
    if status is None or status >= 500:
        return NoAnswer(spoiled=status is not None)
    return Misasked(error.code or str(status))


def _error_of(error: stripe.StripeError) -> Any:
    body = error.json_body
    return body.get("error", {}) if isinstance(body, dict) else {}


async def _timed(name: str, call: Awaitable[T]) -> T:
    began = time.perf_counter()
    result = "fault"
    try:
        answer = await call
        result = "ok"
        return answer
    except stripe.CardError:
        result = "no"
        raise
    except (stripe.APIConnectionError, aiohttp.ClientError, TimeoutError):
        result = "unknown"
        raise
    finally:
        metrics.EFFECT_CALL_SECONDS.labels(name, result).observe(time.perf_counter() - began)
