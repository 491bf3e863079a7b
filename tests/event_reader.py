"""A reader of server-sent events, straight from the application, that may leave at any moment."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from shared.http.api import Api


class Told(msgspec.Struct):
    """One event; without data it only says where the reader is."""

    id: str = ""
    event: str = ""
    data: Any = None


class Reader:
    """Gathers what comes. `last_id` is what a browser would send as `Last-Event-ID`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""
        self.last_id = ""
        self.retry_ms = 0
        self.comments = 0
        self.told: list[Told] = []
        self.ended = False
        self._came = asyncio.Condition()

    async def take(self, message: Mapping[str, Any]) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.raw += message["body"]
        self.ended = self.ended or not message.get("more_body", False)
        if self.status == 200:
            *whole, self.raw = self.raw.split(b"\n\n")
            for block in whole:
                self._read(block.decode())
        async with self._came:
            self._came.notify_all()

    def _read(self, block: str) -> None:
        one = Told()
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            match name:
                case "":
                    self.comments += 1
                case "retry":
                    self.retry_ms = int(value)
                case "id":
                    self.last_id = one.id = value.strip()
                case "event":
                    one.event = value.strip()
                case "data":
                    one.data = msgspec.json.decode(value)
        if one.data is not None:
            self.told.append(one)

    async def until(self, count: int, within_s: float = 5.0) -> list[Told]:
        """Return what was told, once it is so many events or the stream has ended."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: len(self.told) >= count or self.ended)
        return self.told

    async def begun(self, within_s: float = 5.0) -> None:
        """Return when the stream has said where the reader is, or has ended."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: bool(self.last_id) or self.ended)

    async def end(self, within_s: float = 5.0) -> None:
        """Return when the stream has ended."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: self.ended)


@asynccontextmanager
async def reading(
    api: Api, bearer: str, query: str = "", last_id: str | None = None, method: str = "GET"
) -> AsyncIterator[Reader]:
    """Follow `/v1/events` until the block is left: the connection is cut then, whatever the server is doing."""
    reader, gone = Reader(), asyncio.Event()
    headers = [(b"authorization", f"Bearer {bearer}".encode())]
    if last_id is not None:
        headers.append((b"last-event-id", last_id.encode()))
    scope = {
        "type": "http", "method": method, "path": "/v1/events", "query_string": query.encode(), "headers": headers,
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    serving = asyncio.create_task(api(scope, receive, reader.take))
    try:
        await reader.begun()
        yield reader
    finally:
        gone.set()
        async with asyncio.timeout(5.0):
            await serving
