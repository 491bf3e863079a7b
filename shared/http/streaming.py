"""Sending what has no end of its own, until it ends all the same or the caller leaves."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def pour(parts: AsyncGenerator[bytes], receive: Receive, send: Send) -> None:
    """Send each part when it comes; a caller who reads slowly is waited for. `parts` is closed in any case."""
    sending = asyncio.create_task(_send_all(parts, send))
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not sending.done():
            sending.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
    if not sending.cancelled():
        sending.result()


async def _send_all(parts: AsyncGenerator[bytes], send: Send) -> None:
    async with aclosing(parts):
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
