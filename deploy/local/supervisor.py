"""Starts the programs of one stack in the order they need each other, keeps them, and stops them."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.local import databases, identity, kafka, postgres
from deploy.local.archive import ARCHIVE, Archive
from deploy.local.errors import LocalStackError
from deploy.local.files import read_json_object, write_atomically
from deploy.local.folder import StateFolder
from deploy.local.home import Say
from deploy.local.keeper import Keeper
from deploy.local.layout import SERVICES, Endpoints, card_program, mail_program, port_names, service_programs
from deploy.local.leftovers import started_mark, sweep_recorded
from deploy.local.ports import settle_ports
from deploy.local.program import Program

_ARCHIVE_LOOK_S, _ARCHIVE_READY_S = 1.0, 30.0


class Supervisor:
    """One stack's keepers; every method but `sweep_leftovers` runs on one loop in one thread."""

    def __init__(
        self, state: StateFolder, names: Sequence[str], environment: Mapping[str, str], say: Say, *, provision: bool
    ) -> None:
        self.state = state
        self.keepers: dict[str, Keeper] = {}
        self.endpoints: Endpoints | None = None
        self._archiving: asyncio.Task[None] | None = None
        self._names = names
        self._environment = environment
        self._say = say
        self._provision = provision or any(each.name in names for each in SERVICES)

    def sweep_leftovers(self) -> None:
        """End what an earlier supervisor that was killed left in this folder."""
        left = read_json_object(self.state.running)
        swept = sweep_recorded(self.state.running)
        if swept:
            self._say(f"ended what a killed stack had left: {', '.join(swept)}")
        _drop_sockets(left.get("sockets"))

    async def start(self, limit_s: float) -> None:
        """Start everything; return when the infrastructure is ready and the services are started.

        `limit_s` is for each program's start; what is fetched or made at the very first start takes its own time.
        """
        self.endpoints = self._settle(settle_ports(self.state.ports, port_names(self._names, self._environment)))
        if self._provision:
            self.state.keep_shards(self.endpoints.shards)
        self._record()
        async with asyncio.TaskGroup() as group:
            for step in (self._postgres, self._people, self._kafka, self._identity, self._mail, self._card):
                group.create_task(step(self.endpoints, limit_s))
        for service in SERVICES:
            if service.name in self._names:
                for program in service_programs(service, self.state, self.endpoints, self._environment):
                    self._keep(program)

    async def wait_ready(self, limit_s: float) -> None:
        """Return when every program that should run answers, the archiver apart: the stack works without it."""
        deadline = asyncio.get_running_loop().time() + limit_s
        async with asyncio.TaskGroup() as group:
            for keeper in self.keepers.values():
                if keeper.wanted and keeper.program.name != ARCHIVE:
                    group.create_task(keeper.wait_ready(deadline))

    async def stop(self) -> None:
        """Stop the services, then what they stand on."""
        if self._archiving is not None:
            self._archiving.cancel()
        for are_services in (True, False):
            those = [keeper for keeper in self.keepers.values() if keeper.program.is_service is are_services]
            await asyncio.gather(*(keeper.stop() for keeper in those))
        if self.endpoints is not None and self.endpoints.sockets is not None:
            _drop_sockets(str(self.endpoints.sockets))
        self.state.running.unlink(missing_ok=True)

    def _settle(self, ports: Mapping[str, int]) -> Endpoints:
        given = self._environment
        dsn, sockets, password = given.get("PIPEROLL_POSTGRES_DSN", ""), None, None
        if "password" in dsn or "@" in dsn:
            password = self.state.secret("postgres-services.password")
        if "postgres" in self._names or "people" in self._names:
            sockets = postgres.socket_folder(self.state.path / "socket")
        if sockets is not None and "postgres" in self._names:
            dsn = postgres.admin_dsn(sockets)
        people_dsn = dsn
        if sockets is not None and "people" in self._names:
            people_dsn = postgres.admin_dsn(sockets, postgres.PEOPLE_PORT)
        bootstrap = given.get("PIPEROLL_KAFKA_BOOTSTRAP", "")
        if "kafka" in self._names:
            bootstrap = f"127.0.0.1:{ports['kafka']}"
        issuer = given.get("PIPEROLL_OIDC_ISSUER", "")
        if "identity" in self._names:
            issuer = f"http://127.0.0.1:{ports['identity']}/{identity.ISSUER_ID}"
        shards = self.state.shards(given.get("PIPEROLL_SHARDS", ""))
        return Endpoints(ports, sockets, dsn, people_dsn, bootstrap, issuer, shards, password)

    def _keep(self, program: Program) -> Keeper:
        keeper = Keeper(program, self._record, self._say)
        self.keepers[program.name] = keeper
        keeper.start()
        return keeper

    async def _postgres(self, endpoints: Endpoints, limit_s: float) -> None:
        if endpoints.sockets is not None and "postgres" in self._names:
            data = await asyncio.to_thread(postgres.lay_out, self.state.postgres, self._say)
            keeper = self._keep(postgres.program(data, endpoints.sockets, self.state.logs / "postgres.log"))
            await keeper.wait_ready(asyncio.get_running_loop().time() + limit_s)
            self._archiving = asyncio.create_task(self._archive(endpoints.admin_dsn), name="archive")
        if self._provision:
            await asyncio.to_thread(
                databases.prepare, endpoints.admin_dsn, endpoints.shards, endpoints.service_password
            )
            if "people" not in self._names:
                await asyncio.to_thread(databases.prepare_people, endpoints.people_admin_dsn)

    async def _people(self, endpoints: Endpoints, limit_s: float) -> None:
        if endpoints.sockets is not None and "people" in self._names:
            data = await asyncio.to_thread(postgres.lay_out, self.state.people, self._say)
            keeper = self._keep(postgres.people_program(data, endpoints.sockets, self.state.logs / "people.log"))
            await keeper.wait_ready(asyncio.get_running_loop().time() + limit_s)
            if self._provision:
                await asyncio.to_thread(databases.prepare_people, endpoints.people_admin_dsn)

    async def _archive(self, admin_dsn: str) -> None:
        """Keep the archiver of the newest backup, from the moment that the backup has named it in the state folder."""
        kept: Archive | None = None
        while True:
            wanted = Archive.of(self.state)
            if wanted != kept:
                if kept is not None:
                    await self.keepers.pop(ARCHIVE).stop()
                if wanted is not None:
                    keeper = self._keep(wanted.program(admin_dsn, self.state.logs / f"{ARCHIVE}.log"))
                    with suppress(LocalStackError):
                        await keeper.wait_ready(asyncio.get_running_loop().time() + _ARCHIVE_READY_S)
                kept = wanted
            await asyncio.sleep(_ARCHIVE_LOOK_S)

    async def _kafka(self, endpoints: Endpoints, limit_s: float) -> None:
        if "kafka" in self._names:
            broker, controller = endpoints.ports["kafka"], endpoints.ports["kafka-controller"]
            await asyncio.to_thread(kafka.lay_out, self.state.kafka, broker, controller, self._say)
            keeper = self._keep(kafka.program(self.state.kafka, broker, self.state.logs / "kafka.log"))
            if self._provision:
                await asyncio.to_thread(importlib.import_module, "shared.kafka.topics")
            await keeper.wait_ready(asyncio.get_running_loop().time() + limit_s)
        if self._provision:
            from shared.kafka.topics import ensure_topics

            await ensure_topics(endpoints.bootstrap, endpoints.shards)

    async def _identity(self, endpoints: Endpoints, limit_s: float) -> None:
        if "identity" in self._names:
            await asyncio.to_thread(identity.lay_out, self.state.identity, self.state.secrets, self._say)
            port = endpoints.ports["identity"]
            self._keep(identity.program(self.state.identity, port, self.state.logs / "identity.log"))

    async def _mail(self, endpoints: Endpoints, limit_s: float) -> None:
        if "mail" in self._names:
            self._keep(mail_program(self.state, endpoints.ports, self._environment))

    async def _card(self, endpoints: Endpoints, limit_s: float) -> None:
        if "card" in self._names:
            self._keep(card_program(self.state, endpoints.ports, self._environment))

    def _place_of(self, name: str) -> tuple[int, str]:
        """Return where a process stands in lists: infrastructure first, `gateway-http-2` after `gateway-http`."""
        places = [place for place, known in enumerate(self._names) if name.startswith(known)]
        return max(places, default=len(self._names)), name

    def _record(self) -> None:
        """Write down what runs, for `status`, `down` and the next start's sweep."""
        processes = {
            name: {
                "pid": keeper.running.pid if keeper.running else None,
                "started": keeper.running.started if keeper.running else None,
                "since_s": keeper.running.since_s if keeper.running else None,
                "restarts": keeper.restarts,
                "port": keeper.program.port,
                "wanted": keeper.wanted,
                "is_service": keeper.program.is_service,
                "death_signal": int(keeper.program.death_signal),
            }
            for name, keeper in sorted(self.keepers.items(), key=lambda item: self._place_of(item[0]))
        }
        endpoints = self.endpoints
        record = {
            "supervisor": {"pid": os.getpid(), "started": started_mark(os.getpid())},
            "sockets": str(endpoints.sockets) if endpoints and endpoints.sockets else None,
            "admin_dsn": endpoints.admin_dsn if endpoints else None,
            "people_admin_dsn": endpoints.people_admin_dsn if endpoints else None,
            "bootstrap": endpoints.bootstrap if endpoints else None,
            "issuer": endpoints.issuer if endpoints else None,
            "processes": processes,
        }
        write_atomically(self.state.running, json.dumps(record, indent=1) + "\n", mode=0o600, durable=False)


def _drop_sockets(folder: object) -> None:
    """Remove a socket folder that lies outside the state folder."""
    if isinstance(folder, str) and Path(folder).name.startswith("piperoll-"):
        shutil.rmtree(folder, ignore_errors=True)
