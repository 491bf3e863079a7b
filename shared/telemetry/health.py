"""A worker's HTTP side: `/healthz/live`, `/healthz/ready` and `/metrics`, by uvicorn and one small ASGI function."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import uvicorn

from shared.telemetry.metrics import CONTENT_TYPE, exposition


class ShardHealth(msgspec.Struct, frozen=True):
    """How far one shard is: last position of the log, epoch, last relayed position."""

    position: int
    epoch: int
    relay: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What `/healthz/ready` answers; `lag` is records not yet handled, by topic."""

    ready: bool
    checks: Mapping[str, bool] = {}
    shards: Mapping[str, ShardHealth] = {}
    lag: Mapping[str, int] = {}


def health_of(
    checks: Mapping[str, bool], shards: Mapping[int, ShardHealth] | None = None, lag: Mapping[str, int] | None = None
) -> Health:
    """Return a health that is ready exactly when every check holds."""
    return Health(
        ready=all(checks.values()),
        checks=checks,
        shards={str(shard): state for shard, state in sorted((shards or {}).items())},
        lag=lag or {},
    )


Live = Callable[[], bool]
Ready = Callable[[], Health]


class HealthServer:
    """Serves until `stop`. `live` is progress, never the database; `ready` must answer at once from memory."""

    def __init__(self, host: str, port: int, live: Live, ready: Ready) -> None:
        self._live = live
        self._ready = ready
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._answer,
                host=host,
                port=port,
                interface="asgi3",
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
                timeout_keep_alive=5,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when the port answers; a port in use raises OSError."""
        self._task = asyncio.get_running_loop().create_task(self._serve())
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError(f"port {self._server.config.port} could not be taken")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _serve(self) -> None:
        try:
            await self._server._serve(None)  # serve() would take the process's signal handlers
        except SystemExit as error:
            raise OSError(f"port {self._server.config.port} could not be taken") from error

    async def _answer(
        self, scope: Mapping[str, Any], _receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        status, content_type, body = self._page(scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _page(self, path: str) -> tuple[int, str, bytes]:
        match path:
            case "/healthz/live":
                live = self._live()
                return (200 if live else 503), "application/json", msgspec.json.encode({"live": live})
            case "/healthz/ready":
                health = self._ready()
                return (200 if health.ready else 503), "application/json", msgspec.json.encode(health)
            case "/metrics":
                return 200, CONTENT_TYPE, exposition()
            case _:
                return 404, "application/json", b'{"title":"not found"}'
