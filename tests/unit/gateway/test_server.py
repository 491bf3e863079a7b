"""A connection: heads have an end, bodies have their own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from shared.http.server import MOST_HEAD_BYTES, BoundedHttp

CHUNK = 65_536
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """What was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[BoundedHttp, Wire]]:
    wire = Wire()
    config = uvicorn.Config(app, http=BoundedHttp, ws="none", lifespan="off", log_config=None)
    http = BoundedHttp(config=config, server_state=ServerState(), app_state={})
    http.connection_made(wire)
    yield http, wire
    http.connection_lost(None)


async def sent(parts: Iterable[bytes]) -> Wire:
    async with connection() as (http, wire):
        for part in parts:
            if not wire.closed:
                http.data_received(part)
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)
    return wire


ENDLESS = [b"a" * CHUNK] * 16


@pytest.mark.parametrize(
    "parts",
    [
        [GET + b"X: ", *ENDLESS],
        [GET, *(b"X%d: " % n + b"a" * CHUNK + b"\r\n" for n in range(16))],
        [b"GET /", *ENDLESS],
        [POST, b"0\r\nX: ", *ENDLESS],
        [POST, b"1;x=", *ENDLESS],
    ],
)
async def test_a_head_without_end_is_cut_off(parts: list[bytes]) -> None:
    wire = await sent(parts)
    assert wire.written.startswith(b"HTTP/1.1 400 ")


async def test_a_large_body_is_no_head_and_a_connection_serves_many() -> None:
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (4 * MOST_HEAD_BYTES)
    wire = await sent([*[body, *([b"a" * CHUNK] * (4 * MOST_HEAD_BYTES // CHUNK))] * 2, GET + b"\r\n"])
    assert wire.written.count(b"HTTP/1.1 204 ") == 3
