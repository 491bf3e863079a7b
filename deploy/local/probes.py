"""How each kind of program is asked whether it is ready."""

from __future__ import annotations

import asyncio
import re
import struct
from functools import partial
from typing import LiteralString

from deploy.local.program import Probe

_LIMIT_S = 2.0


def http_ready(port: int, path: str) -> Probe:
    """Ready when a GET of `path` answers 200."""
    return partial(_answers_200, port, path)


def kafka_ready(port: int) -> Probe:
    """Ready when the broker answers ApiVersions."""
    return partial(_answers_api_versions, port)


def postgres_ready(dsn: str) -> Probe:
    """Ready when a connection is accepted."""
    return partial(_accepts_connection, dsn)


def archive_ready(dsn: str) -> Probe:
    """Ready when somebody receives the server's WAL through a slot."""
    return partial(_is_received, dsn)


async def http_get(port: int, path: str, limit_s: float = _LIMIT_S) -> tuple[int, bytes]:
    """Return status and body of a loopback GET; OSError or TimeoutError when nothing usable answers."""
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = re.search(r"\r\ncontent-length: *(\d+)", head)
            body = await (reader.readexactly(int(length[1])) if length else reader.read(-1))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionError(f"port {port} ended its answer early") from error
        finally:
            writer.close()
    status = re.match(r"http/1\.[01] (\d{3})", head)
    if status is None:
        raise ConnectionError(f"port {port} does not speak HTTP")
    return int(status[1]), body


async def _answers_200(port: int, path: str) -> bool:
    try:
        status, _ = await http_get(port, path)
    except (OSError, TimeoutError):
        return False
    return status == 200


async def _answers_api_versions(port: int) -> bool:
    client = b"piperoll"
    body = struct.pack(">hhih", 18, 0, 1, len(client)) + client
    try:
        async with asyncio.timeout(_LIMIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(struct.pack(">i", len(body)) + body)
                await writer.drain()
                await reader.readexactly(8)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return True


async def _accepts_connection(dsn: str) -> bool:
    return await _answers_true(dsn, "SELECT true")


async def _is_received(dsn: str) -> bool:
    return await _answers_true(dsn, "SELECT bool_or(active) FROM pg_replication_slots WHERE slot_name LIKE 'piperoll%'")


async def _answers_true(dsn: str, question: LiteralString) -> bool:
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=2, autocommit=True) as connection:
            row = await (await connection.execute(question)).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and row[0] is True
