"""Which programs a stack has, on which ports, in which environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.probes import http_ready
from deploy.local.program import Program

INFRA = ("postgres", "people", "kafka", "identity", "mail", "card")
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Service:
    """One kind of service process: `python -m module arguments`, on the database of `service`.

    `setting` says how many of it run, 1 where it is not set; `shares_port` that all of them listen on one.
    """

    name: str
    service: str
    arguments: tuple[str, ...]
    setting: str = ""
    shares_port: bool = False


SERVICES = (
    Service("gateway-http", "gateway", ("services.gateway.app", "http"), "PIPEROLL_GATEWAY_PROCESSES", True),
    Service("gateway-worker", "gateway", ("services.gateway.app", "worker")),
    Service("billing", "billing", ("services.billing.app",), "PIPEROLL_BILLING_PROCESSES"),
    Service("ledger", "ledger", ("services.ledger.app",), "PIPEROLL_LEDGER_PROCESSES"),
    Service("ledger-http", "ledger", ("services.ledger.app", "http"), "PIPEROLL_LEDGER_HTTP_PROCESSES", True),
    Service("notifier", "notifier", ("services.notifier.app",), "PIPEROLL_NOTIFIER_PROCESSES"),
)
MOST_PROCESSES = 64
HEALTH_PATHS = {"identity": "/isalive", "card": "/_sim/health"}
"""Where a program is asked whether it is ready, when not at `/healthz/ready`."""

_PORTS: dict[str, tuple[str, ...]] = {
    "postgres": (),
    "people": (),
    "kafka": ("kafka", "kafka-controller"),
    "identity": ("identity",),
    "mail": ("smtp", "mail"),
    "card": ("card",),
}


@dataclass(frozen=True)
class Endpoints:
    """Where everything is, once ports and servers are settled; the people database may have a server of its own."""

    ports: Mapping[str, int]
    sockets: Path | None
    admin_dsn: str
    people_admin_dsn: str
    bootstrap: str
    issuer: str
    shards: int
    service_password: str | None = None

    def dsn(self, service: str) -> str:
        """Return the connection string of a service's own role and database."""
        return self._as_role(self.admin_dsn, service, f"piperoll_{service}")

    def people_dsn(self, service: str) -> str:
        """Return the connection string of a service's role in the shared people database."""
        return self._as_role(self.people_admin_dsn, service, "piperoll_people")

    def _as_role(self, server: str, service: str, database: str) -> str:
        from psycopg.conninfo import make_conninfo

        return make_conninfo(server, user=f"piperoll_{service}", dbname=database, password=self.service_password)


def port_names(programs: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the names of the ports that these programs need: one for each worker, one for all HTTP gateways."""
    several = {each.name: _process_names(each, environment) for each in SERVICES if not each.shares_port}
    return [port for name in programs for port in _PORTS.get(name, several.get(name, (name,)))]


def chosen(only: Sequence[str] | None, services: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the names of the programs to run, servers that are there already left out."""
    names = list(only) if only is not None else [*INFRA, *([each.name for each in SERVICES] if services else ())]
    unknown = [name for name in names if name not in INFRA and name not in {each.name for each in SERVICES}]
    if unknown:
        raise LocalStackError(f"no program is called {unknown[0]}")
    given = {
        "postgres": "PIPEROLL_POSTGRES_DSN",
        "people": "PIPEROLL_POSTGRES_DSN",
        "kafka": "PIPEROLL_KAFKA_BOOTSTRAP",
        "identity": "PIPEROLL_OIDC_ISSUER",
    }
    return [name for name in names if not environment.get(given.get(name, ""))]


def base_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment without what would silently redirect PostgreSQL's client, our tree in front."""
    kept = {name: value for name, value in environment.items() if not name.startswith("PG")}
    path = os.pathsep.join(filter(None, (str(_REPOSITORY), kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def mail_program(state: StateFolder, ports: Mapping[str, int], environment: Mapping[str, str]) -> Program:
    """Return the mail sink."""
    return Program(
        name="mail",
        argv=(sys.executable, "-m", "deploy.local.mailsink"),
        env={
            **base_environment(environment),
            "PIPEROLL_SMTP_PORT": str(ports["smtp"]),
            "PIPEROLL_HTTP_PORT": str(ports["mail"]),
            "PIPEROLL_MAIL_FOLDER": str(state.mail),
            "PIPEROLL_PROFILE": "local",
            "PIPEROLL_CLOCK_FILE": str(state.clock),
        },
        probe=http_ready(ports["mail"], "/healthz/ready"),
        log=state.logs / "mail.log",
        port=ports["mail"],
    )


def card_program(state: StateFolder, ports: Mapping[str, int], environment: Mapping[str, str]) -> Program:
    """Return the card processor's simulator."""
    env = {
        **base_environment(environment),
        "PIPEROLL_CARD_SIM_PORT": str(ports["card"]),
        "PIPEROLL_CARD_SIM_STATE": str(state.card),
        "PIPEROLL_CARD_API_KEY": state.secret("card-api.key"),
        "PIPEROLL_CARD_WEBHOOK_SECRET": "whsec_" + state.secret("card-webhook.key"),
        "PIPEROLL_PROFILE": "local",
        "PIPEROLL_CLOCK_FILE": str(state.clock),
    }
    if "gateway-http" in ports:
        env["PIPEROLL_CARD_WEBHOOK_URL"] = f"http://127.0.0.1:{ports['gateway-http']}/webhooks/cards"
    return Program(
        name="card",
        argv=(sys.executable, "-m", "deploy.simulators.card"),
        env=env,
        probe=http_ready(ports["card"], HEALTH_PATHS["card"]),
        log=state.logs / "card.log",
        port=ports["card"],
    )


def service_programs(
    service: Service, state: StateFolder, endpoints: Endpoints, environment: Mapping[str, str]
) -> list[Program]:
    """Return the processes of one service: as many as its setting says."""
    programs = []
    for name in _process_names(service, environment):
        port = endpoints.ports[service.name if service.shares_port else name]
        told = _service_environment(service, name, port, state, endpoints)
        programs.append(
            Program(
                name=name,
                argv=(sys.executable, "-m", *service.arguments),
                env={**base_environment(environment), **told},
                probe=http_ready(port, "/healthz/ready"),
                log=state.logs / f"{name}.log",
                port=port,
                is_service=True,
            )
        )
    return programs


def _service_environment(
    service: Service, name: str, port: int, state: StateFolder, endpoints: Endpoints
) -> dict[str, str]:
    ports = endpoints.ports
    return {
        "PIPEROLL_SERVICE": service.service,
        "PIPEROLL_PROFILE": "local",
        "PIPEROLL_INSTANCE": f"{name}-1" if name == service.name else name,
        "PIPEROLL_SHARDS": str(endpoints.shards),
        "PIPEROLL_POSTGRES_DSN": endpoints.dsn(service.service),
        "PIPEROLL_PEOPLE_DSN": endpoints.people_dsn(service.service),
        "PIPEROLL_KAFKA_BOOTSTRAP": endpoints.bootstrap,
        "PIPEROLL_OIDC_ISSUER": endpoints.issuer,
        "PIPEROLL_OIDC_AUDIENCE": "piperoll",
        "PIPEROLL_CLOCK_FILE": str(state.clock),
        "PIPEROLL_HTTP_PORT": str(port),
        "PIPEROLL_CARD_API_BASE": f"http://127.0.0.1:{ports['card']}" if "card" in ports else "",
        "PIPEROLL_CARD_API_KEY": state.secret("card-api.key"),
        "PIPEROLL_CARD_WEBHOOK_SECRET": "whsec_" + state.secret("card-webhook.key"),
        "PIPEROLL_SMTP_HOST": "127.0.0.1",
        "PIPEROLL_SMTP_PORT": str(ports.get("smtp", "")),
        "PIPEROLL_MASTER_KEY_FILE": str(state.master_key),
    }


def _process_names(service: Service, environment: Mapping[str, str]) -> tuple[str, ...]:
    text = environment.get(service.setting) or "1"
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PROCESSES:
        raise LocalStackError(f"{service.setting} is {text!r} and must be a whole number from 1 to {MOST_PROCESSES}")
    return (service.name, *(f"{service.name}-{number}" for number in range(2, int(text) + 1)))
