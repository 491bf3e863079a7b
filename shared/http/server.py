"""uvicorn as we run it: on a socket that several processes share, with bounded heads."""

import asyncio
import signal
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.drain import end_within
from shared.http.system import System
from shared.telemetry.collector import settle
from shared.telemetry.logs import logger

log = logger(__name__)

BACKLOG = 2_048
MOST_HEAD_BYTES = 512 * 1024
"""Above the largest single read from a socket (256 KiB), so that no body is taken for a head."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket that further processes may bind too; the kernel spreads connections over them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP with an end to headers, trailers and chunk extensions: its parser gathers them without bound."""

    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Too large a header.")

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._head_bytes -= len(body)
        super().on_body(body)


class Serving:
    """Serves an ASGI application until SIGTERM, SIGINT or `drain`: no new connection, what was begun is answered."""

    def __init__(self, api: Any, system: System, drain_s: int) -> None:
        self._system = system
        self._server = uvicorn.Server(
            uvicorn.Config(
                api,
                http=BoundedHttp,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=drain_s,
            )
        )

    def drain(self) -> None:
        """Begin to end; repeated, it changes nothing."""
        if not self._system.draining:
            end_within()
        self._system.draining = True
        self._server.should_exit = True

    async def run(self, host: str, port: int) -> None:
        """Return when drained."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, self.drain)
        sock = listening_socket(host, port)
        settle()
        log.info("serving", port=sock.getsockname()[1])
        await self._server._serve([sock])
