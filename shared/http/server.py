"""uvicorn as we run it: on a socket that several processes share, with bounded heads."""

import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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


def server_of(api: Any, drain_s: int) -> uvicorn.Server:
    """Return a server of an ASGI application; its `_serve` takes the sockets and no signals."""
    return uvicorn.Server(
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
