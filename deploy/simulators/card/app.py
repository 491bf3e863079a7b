"""Wires the simulator together and serves it on the loopback address."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deploy.simulators.card.api import Answer, Api, Request
from deploy.simulators.card.config import HOST, Config
from deploy.simulators.card.control import Control, Shown
from deploy.simulators.card.faults import Faults
from deploy.simulators.card.journal import API_VERSION, Journal
from deploy.simulators.card.settings import Current
from deploy.simulators.card.store import Store
from deploy.simulators.card.timers import Timers
from deploy.simulators.card.webhooks import Webhooks
from shared.clock import Clock

DRAIN_WITHIN_S = 2
LONGEST_BODY = 1 << 20
_DROP = "piperoll.drop"
Headers = list[tuple[bytes, bytes]]


class DroppableProtocol(HttpToolsProtocol):
    """Lets the application cut the connection instead of answering."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][_DROP] = self.transport


class Server(uvicorn.Server):
    """Ends with 0 on SIGTERM and SIGINT, after calls under way were answered."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


class App:
    """The ASGI application: `/_sim` to the control, everything else to the API."""

    def __init__(self, api: Api, control: Control) -> None:
        self._api, self._control = api, control

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the card simulator speaks HTTP, not {scope['type']}")
        body = await _body(receive)
        if body is None:
            return
        headers = dict(scope["headers"])
        query = scope["query_string"].decode("latin-1")
        if scope["path"].startswith("/_sim/"):
            kind = headers.get(b"content-type", b"").decode("latin-1")
            await _show(send, await self._control.handle(scope["method"], scope["path"], query, kind, body))
            return
        key = headers.get(b"idempotency-key")
        request = Request(
            scope["method"],
            scope["path"],
            query,
            headers.get(b"authorization", b"").decode("latin-1"),
            key.decode("latin-1") if key is not None else None,
            body,
        )
        answer = await self._api.handle(request)
        if answer is None:
            await _drop(scope, receive)
        else:
            await _answer(send, answer, key)


async def _body(receive: ASGIReceiveCallable) -> bytes | None:
    """Return the whole body; None when the caller left or sends more than anyone needs."""
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        return message["body"]
    parts = b""
    while message["type"] == "http.request" and len(parts) <= LONGEST_BODY:
        parts += message["body"]
        if not message["more_body"]:
            return parts
        message = await receive()
    return None


async def _answer(send: ASGISendCallable, answer: Answer, key: bytes | None) -> None:
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"request-id", answer.request_id.encode()),
        (b"stripe-version", API_VERSION.encode()),
    ]
    if key:
        headers.append((b"idempotency-key", key))
    if answer.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _show(send: ASGISendCallable, shown: Shown) -> None:
    headers: Headers = [
        (b"content-type", shown.kind.encode()),
        (b"content-length", str(len(shown.body)).encode()),
    ]
    if shown.location is not None:
        headers.append((b"location", shown.location.encode()))
    await send({"type": "http.response.start", "status": shown.status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": shown.body, "more_body": False})


async def _drop(scope: HTTPScope, receive: ASGIReceiveCallable) -> None:
    """Cut the connection without a byte of an answer."""
    scope["state"][_DROP].abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def serve(config: Config, clock: Clock) -> None:
    """Serve until a signal comes; calls under way are answered, then the store is closed."""
    store = Store(config.state)
    faults, current = Faults(store), Current(store)
    if config.settings:
        current.change(dict(config.settings))
    journal = Journal(store, faults, current, clock, sends=config.webhook_url is not None)
    api = Api(store, journal, faults, current, config.api_key, config.site)
    works = [asyncio.create_task(Timers(store, journal, current, api).run())]
    if config.webhook_url is not None:
        works.append(asyncio.create_task(Webhooks(store, journal, config.webhook_url, config.webhook_secret).run()))
    server = Server(_uvicorn(App(api, Control(store, journal, faults, current)), config.port))
    works.append(asyncio.create_task(server.serve()))
    done, rest = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    for work in rest:
        work.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    store.close()
    for work in done:
        work.result()


def _uvicorn(app: App, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=HOST,
        port=port,
        http=DroppableProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=512,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_WITHIN_S,
    )
