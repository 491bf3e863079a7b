"""The processor's SDK below its object layer, its retries off: one session, timed calls, lists page by page."""

import time
from collections.abc import Awaitable
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import stripe

from services.billing.rails.port import Busy, Misasked, NoAnswer, RailDown
from shared.telemetry import metrics

T = TypeVar("T")

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 10
PAGE = 100
LOST = (stripe.APIConnectionError, aiohttp.ClientError, TimeoutError, OSError)


class CardCalls:
    """Make it inside the event loop; `close` at the end."""

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

    async def _raw(self, method: str, path: str, **parameters: Any) -> bytes:
        """Call below the object layer, which costs more than all else of a call; its errors are the same."""
        answer = await self._stripe.raw_request_async(method, path, **parameters)
        body: bytes = answer.body
        return body

    async def _read(self, name: str, path: str, **parameters: Any) -> bytes | None:
        """Read one object as it is now, None where the processor does not know it (RailDown)."""
        try:
            return await timed(name, self._raw("get", path, **parameters))
        except stripe.InvalidRequestError as error:
            if error.http_status == 404:
                return None
            raise RailDown(f"{name}: {error.http_status}") from error
        except (stripe.StripeError, *LOST) as error:
            raise RailDown(f"{name}: {type(error).__name__}") from error

    async def _pages(self, name: str, call: Any, asked: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        try:
            page = await timed(name, call(asked))
            found.extend(page.data)
            while page.has_more:
                page = await timed(name, call({**asked, "starting_after": found[-1].id}))
                found.extend(page.data)
        except (stripe.StripeError, *LOST) as error:
            raise RailDown(f"{name}: {type(error).__name__}") from error
        return found

    async def close(self) -> None:
        """Close the HTTP session."""
        await self._http.close_async()  # type: ignore[no-untyped-call]


def place(kind: str, ref: str) -> str:
    """Return the path of one object."""
    return f"/v1/{kind}/{quote(ref, safe='')}"


def no_yes(error: stripe.StripeError) -> Busy | NoAnswer | Misasked:
    """Return what an error that is neither the card's no nor a bad request leaves us with."""
    status = error.http_status
    if status in (409, 429):
        return Busy()
    if status is None or status >= 500:
        return NoAnswer(spoiled=status is not None)
    return Misasked(error.code or str(status))


async def timed(name: str, call: Awaitable[T]) -> T:
    """Await a call and measure how long it took and how it ended."""
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
