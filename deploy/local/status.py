"""`piperoll status`: every process of a stack, asked one by one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.errors import NotRunningError
from deploy.local.files import read_json_object
from deploy.local.folder import StateFolder
from deploy.local.layout import HEALTH_PATHS
from deploy.local.leftovers import is_alive
from deploy.local.probes import archive_ready, http_get, kafka_ready, postgres_ready
from deploy.local.program import Probe


@dataclass(frozen=True)
class ProcessStatus:
    """One process; `lag` is records and events not yet handled, `position` the sum over its shards' logs."""

    name: str
    pid: int | None
    port: int | None
    up_since: str | None
    restarts: int
    state: str
    lag: int | None = None
    position: int | None = None
    checks: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        return self.state == "ready"


@dataclass(frozen=True)
class StackStatus:
    """All processes of one state folder; `running` is False when no supervisor holds it."""

    state: str
    running: bool
    processes: tuple[ProcessStatus, ...]

    @property
    def is_well(self) -> bool:
        return self.running and bool(self.processes) and all(process.is_well for process in self.processes)

    def as_json(self) -> str:
        """Return one JSON object."""
        return json.dumps({**asdict(self), "well": self.is_well}, indent=2)


def read(state: StateFolder) -> StackStatus:
    """Ask every process of the stack now."""
    record = read_json_object(state.running)
    supervisor = state.supervisor()
    pid, started = supervisor.get("pid"), supervisor.get("started")
    running = isinstance(pid, int) and isinstance(started, str) and is_alive(pid, started)
    entries = record.get("processes")
    if not running or not isinstance(entries, dict):
        return StackStatus(str(state), running, ())
    return StackStatus(str(state), running, asyncio.run(_ask_all(entries, record)))


async def _ask_all(entries: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[ProcessStatus, ...]:
    return tuple(await asyncio.gather(*(_ask(name, entry, record) for name, entry in entries.items())))


async def _ask(name: str, entry: Mapping[str, Any], record: Mapping[str, Any]) -> ProcessStatus:
    since_s = entry.get("since_s")
    up_since = datetime.fromtimestamp(since_s, UTC).isoformat(timespec="seconds") if since_s else None
    state, health = await _state_of(name, entry, record)
    checks = health.get("checks")
    return ProcessStatus(
        name=name,
        pid=entry.get("pid"),
        port=entry.get("port"),
        up_since=up_since,
        restarts=int(entry.get("restarts") or 0),
        state=state,
        lag=_lag_of(health),
        position=_sum_over_shards(health, "position"),
        checks=checks if isinstance(checks, dict) else {},
    )


async def _state_of(name: str, entry: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return `ready`, `not ready`, `down` (it is being started again) or `stopped` (it was asked to), and its words."""
    if not entry.get("wanted"):
        return "stopped", {}
    pid, started, port = entry.get("pid"), entry.get("started"), entry.get("port")
    if not isinstance(pid, int) or not isinstance(started, str) or not is_alive(pid, started):
        return "down", {}
    if probe := _server_probe(name, record):
        return ("ready" if await probe() else "not ready"), {}
    if not isinstance(port, int):
        return "not ready", {}
    if name == "kafka":
        return ("ready" if await kafka_ready(port)() else "not ready"), {}
    try:
        status, body = await http_get(port, HEALTH_PATHS.get(name, "/healthz/ready"))
    except (OSError, TimeoutError):
        return "not ready", {}
    return ("ready" if status == 200 else "not ready"), _object(body)


def _server_probe(name: str, record: Mapping[str, Any]) -> Probe | None:
    """Return how a process is asked that answers on no port of its own."""
    match name:
        case "postgres":
            return postgres_ready(str(record.get("admin_dsn")))
        case "people":
            return postgres_ready(str(record.get("people_admin_dsn")))
        case "archive":
            return archive_ready(str(record.get("admin_dsn")))
        case _:
            return None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _sum_over_shards(health: Mapping[str, Any], name: str) -> int | None:
    shards = health.get("shards")
    if not isinstance(shards, dict) or not shards:
        return None
    return sum(int(shard.get(name) or 0) for shard in shards.values() if isinstance(shard, dict))


def _lag_of(health: Mapping[str, Any]) -> int | None:
    """Return what is still to be read from topics plus what is still to be relayed."""
    lag, position, relay = health.get("lag"), _sum_over_shards(health, "position"), _sum_over_shards(health, "relay")
    unread = sum(value for value in lag.values() if isinstance(value, int)) if isinstance(lag, dict) else None
    unsent = position - relay if position is not None and relay is not None else None
    return None if unread is None and unsent is None else (unread or 0) + (unsent or 0)


def issuer_of(state: StateFolder) -> str:
    """Return the running stack's token issuer; NotRunningError when none runs."""
    issuer = read_json_object(state.running).get("issuer")
    if not isinstance(issuer, str) or not issuer or not state.is_locked():
        raise NotRunningError(state.path)
    return issuer


def admin_dsn_of(state: Path, service: str) -> str:
    """Return a service's database with an operator's rights: the running stack's, else the environment's server."""
    from psycopg.conninfo import make_conninfo

    found = read_json_object(StateFolder(state).running).get("admin_dsn") or os.environ.get("PIPEROLL_POSTGRES_DSN")
    if not isinstance(found, str):
        raise NotRunningError(state)
    return make_conninfo(found, dbname=f"piperoll_{service}")


def addresses_of(state: StateFolder) -> dict[str, str]:
    """Return the shell variables that say where the running stack is; NotRunningError when none runs."""
    issuer, record = issuer_of(state), read_json_object(state.running)
    ports = {name: one["port"] for name, one in record["processes"].items() if one.get("port")}
    http = {
        "PIPEROLL_URL": "gateway-http",
        "PIPEROLL_LEDGER_URL": "ledger-http",
        "PIPEROLL_MAIL_URL": "mail",
        "PIPEROLL_CARD_URL": "card",
    }
    return {
        **{name: f"http://127.0.0.1:{ports[program]}" for name, program in http.items() if program in ports},
        "PIPEROLL_OIDC_ISSUER": issuer,
        "PIPEROLL_KAFKA_BOOTSTRAP": str(record["bootstrap"]),
    }
