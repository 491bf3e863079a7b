"""A member's or clerk's client: repeats a request with the same key until it is answered, as a portal should."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

PATIENCE_S = 180.0
FIRST_WAIT_S = 0.05
MOST_WAIT_S = 2.0
TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class NoAnswer(Exception):
    """No final answer within the client's patience; names the request."""


class Reply(msgspec.Struct, frozen=True):
    """An answer: status, headers that matter, and the body."""

    status: int
    replayed: bool
    body: dict[str, Any]


class Client:
    """One bearer's view of the gateway. Requests that go unanswered are sent again with the same key."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str) -> None:
        self._session = session
        self._base = base
        self._token = token

    async def get(self, path: str) -> Reply:
        """Return the answer of a GET."""
        return await self._until_answered("GET", path, None, {})

    async def post(self, path: str, body: Mapping[str, Any], key: str, wait_s: int = 0) -> Reply:
        """Return the answer of a POST under `key`; `wait_s` asks the gateway to wait for the outcome."""
        headers = {"Idempotency-Key": key}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        return await self._until_answered("POST", path, body, headers)

    async def _until_answered(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Reply:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        wait_s = FIRST_WAIT_S
        while True:
            try:
                reply = await self._once(method, path, body, headers)
                if reply.status not in TRY_AGAIN:
                    return reply
                why = f"status {reply.status}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = repr(error)
            if asyncio.get_running_loop().time() + wait_s > deadline:
                raise NoAnswer(f"{method} {path}: {why}, for {PATIENCE_S:.0f} s")
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, MOST_WAIT_S)

    async def _once(self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Reply:
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **headers}
        data = msgspec.json.encode(body) if body is not None else None
        async with self._session.request(method, self._base + path, data=data, headers=sent) as response:
            raw = await response.read()
            decoded = msgspec.json.decode(raw) if raw else {}
            return Reply(response.status, response.headers.get("Idempotency-Replayed") == "true", decoded)
