"""A whole stack, or a part of it, as an object: for `piperoll up`, the demo and the tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.home import Say, quiet
from deploy.local.keeper import Keeper
from deploy.local.layout import Endpoints, chosen
from deploy.local.supervisor import Supervisor

T = TypeVar("T")


class Stack:
    """PostgreSQL, Kafka, identity, mail, card simulator and the services in one state folder.

    `only` names the programs to run (`("postgres", "kafka")`) and leaves databases and topics as they are;
    without it everything is started, or everything but the services with `services=False`. `env` is laid over the
    environment of this process. The programs end with this process, however it ends.
    """

    def __init__(
        self,
        state: Path,
        *,
        services: bool = True,
        env: Mapping[str, str] | None = None,
        only: Sequence[str] | None = None,
        say: Say = quiet,
    ) -> None:
        environment = {**os.environ, **(env or {})}
        self.state = StateFolder(state)
        names = chosen(only, services, environment)
        self._supervisor = Supervisor(self.state, names, environment, say, provision=only is None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_s: float = 90.0) -> None:
        """Start everything and return when all of it is ready; LocalStackError, with all stopped, when not."""
        self.state.open()
        try:
            self._supervisor.sweep_leftovers()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="piperoll-stack", daemon=True)
            self._thread.start()
            self._run(self._supervisor.start(timeout_s))
            self.wait_ready(timeout_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the services, then the rest; return when no process is left."""
        if self._loop is not None and self._thread is not None:
            try:
                self._run(self._supervisor.stop())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
                self._loop = self._thread = None
        self.state.close()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when every program that was not stopped answers."""
        self._run(self._supervisor.wait_ready(timeout_s))

    def pid(self, process: str) -> int:
        """Return the process id; LocalStackError while it does not run."""
        running = self._keeper(process).running
        if running is None:
            raise LocalStackError(f"{process} does not run just now")
        return running.pid

    def kill(self, process: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal as the machine or an operator would; a program that ends of it is started again."""
        os.kill(self.pid(process), number)

    def stop_process(self, name: str) -> None:
        """Stop one program; it stays stopped until `start_process`."""
        self._run(self._keeper(name).stop())

    def start_process(self, name: str) -> None:
        """Run a stopped program again; `wait_ready` tells when it answers."""

        async def start() -> None:
            self._keeper(name).start()

        self._run(start())

    def restarts(self, process: str) -> int:
        """Return how often the program was started again after it had ended by itself."""
        return self._keeper(process).restarts

    @property
    def processes(self) -> tuple[str, ...]:
        return tuple(self._supervisor.keepers)

    @property
    def ports(self) -> Mapping[str, int]:
        return self._endpoints.ports

    @property
    def admin_dsn(self) -> str:
        """The superuser's connection string."""
        return self._endpoints.admin_dsn

    @property
    def people_admin_dsn(self) -> str:
        """The superuser's connection string at the people database's server."""
        return self._endpoints.people_admin_dsn

    def dsn(self, service: str) -> str:
        """Return the connection string of the service's own role and database."""
        return self._endpoints.dsn(service)

    def people_dsn(self, service: str) -> str:
        """Return the connection string of the service's role in the people database."""
        return self._endpoints.people_dsn(service)

    @property
    def shards(self) -> int:
        """How many shards each service has, fixed at the first start."""
        return self._endpoints.shards

    @property
    def bootstrap(self) -> str:
        return self._endpoints.bootstrap

    @property
    def issuer(self) -> str:
        return self._endpoints.issuer

    @property
    def gateway_url(self) -> str:
        return self._url("gateway-http")

    @property
    def ledger_url(self) -> str:
        """Where finance and auditors read the books."""
        return self._url("ledger-http")

    @property
    def card_url(self) -> str:
        return self._url("card")

    @property
    def mail_url(self) -> str:
        return self._url("mail")

    def _url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"

    @property
    def _endpoints(self) -> Endpoints:
        if self._supervisor.endpoints is None:
            raise LocalStackError(f"the stack in {self.state} was not started")
        return self._supervisor.endpoints

    def _keeper(self, name: str) -> Keeper:
        try:
            return self._supervisor.keepers[name]
        except KeyError:
            known = ", ".join(self._supervisor.keepers)
            raise LocalStackError(f"no process is called {name}; there are: {known}") from None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the supervisor's loop and wait; of several failures the first one speaks."""
        if self._loop is None:
            work.close()
            raise LocalStackError(f"the stack in {self.state} was not started")
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseExceptionGroup as failures:
            first: BaseException = failures
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None
        except BaseException:
            future.cancel()
            raise
