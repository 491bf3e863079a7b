"""Streams of events on a connection: chunked, given up when the caller leaves, ended when the process drains."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from uvicorn.server import ServerState

from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.http.server import BoundedHttp
from shared.telemetry import metrics
from tests.gateway_kit import Gateway, bearer, gateway, settings
from tests.unit.gateway.test_events import MEMBER, MINE, Told, fact
from tests.unit.gateway.test_server import Wire

ASK = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MEMBER}\r\n\r\n".encode()


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[Gateway, Told, BoundedHttp, Wire]]:
    told, wire = Told(), Wire()
    async with gateway(MemoryStore(8, mode=Mode.SHARED), told, settings()) as running:
        config = uvicorn.Config(running.client.api, http=BoundedHttp, ws="none", lifespan="off", log_config=None)
        http = BoundedHttp(config=config, server_state=ServerState(), app_state={})
        http.connection_made(wire)
        yield running, told, http, wire


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


def open_streams() -> float:
    return float(metrics.HTTP_STREAMS._value.get())


async def test_events_go_out_in_chunks_as_they_come() -> None:
    async with connection() as (running, told, http, wire):
        http.data_received(ASK)
        await until(lambda: b"retry: 1000" in wire.written)
        head = wire.written.partition(b"\r\n\r\n")[0].lower()
        assert b"transfer-encoding: chunked" in head
        assert b"content-length" not in head
        told.facts.append(fact(1))
        running.bell.ring()
        await until(lambda: b"event: billing.told.v1" in wire.written)
        http.connection_lost(None)
        await until(lambda: open_streams() == 0)


async def test_a_caller_who_leaves_gives_the_slot_back() -> None:
    async with connection() as (_, told, http, wire):
        before = open_streams()
        http.data_received(ASK)
        await until(lambda: b"retry: 1000" in wire.written)
        assert open_streams() == before + 1
        http.connection_lost(None)
        await until(lambda: open_streams() == before)
        told.facts.append(fact(1))


async def test_a_process_that_drains_ends_the_stream_and_closes() -> None:
    async with connection() as (running, _, http, wire):
        http.data_received(ASK)
        await until(lambda: b"retry: 1000" in wire.written)
        running.system.draining = True
        http.shutdown()
        await until(lambda: wire.written.endswith(b"0\r\n\r\n"))
        await until(wire.is_closing)


async def test_a_caller_who_reads_nothing_is_waited_for() -> None:
    async with connection() as (running, told, http, wire):
        http.data_received(ASK)
        await until(lambda: b"retry: 1000" in wire.written)
        http.pause_writing()
        length = len(wire.written)
        told.facts += [fact(n, second=0) for n in range(1, 201)]
        running.bell.ring()
        await asyncio.sleep(0.2)
        sent = wire.written[length:].count(b"event: ")
        assert sent <= 50
        http.resume_writing()
        await until(lambda: wire.written.count(b"event: ") == 200)
        http.connection_lost(None)
        await until(lambda: open_streams() == 0)


async def test_a_page_of_a_known_origin_may_follow() -> None:
    async with gateway(MemoryStore(8, mode=Mode.SHARED), Told(), settings(cors_origins="https://a.example")) as running:
        asked = await running.client.send("OPTIONS", "/v1/events", headers={"Origin": "https://a.example"})
        assert "last-event-id" in (asked.header("access-control-allow-headers") or "")
        reply = await running.client.get("/v1/events", bearer("member", MINE), Origin="https://a.example")
        assert reply.header("access-control-allow-origin") == "https://a.example"
