"""Servers for the tests: those that the environment names, else a local stack of this run."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.postgres.provision import provision

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
"""A property says nothing about time: an example that a loaded machine makes slow has not failed."""


class Infra(NamedTuple):
    """A PostgreSQL and a Kafka that are up."""

    admin_dsn: str
    bootstrap: str


class Database(NamedTuple):
    """A freshly provisioned database of one service: its superuser's and its service role's connection strings."""

    name: str
    admin_dsn: str
    dsn: str


ServiceDatabase = Callable[..., Database]


@pytest.fixture(scope="session")
def stack_infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infra]:
    """PostgreSQL and Kafka: the environment's where it names both, else a local stack with only these."""
    dsn, bootstrap = os.environ.get("PIPEROLL_POSTGRES_DSN"), os.environ.get("PIPEROLL_KAFKA_BOOTSTRAP")
    if dsn and bootstrap:
        yield Infra(dsn, bootstrap)
        return
    with Stack(tmp_path_factory.mktemp("infra"), only=("postgres", "kafka")) as stack:
        yield Infra(stack.admin_dsn, stack.bootstrap)


@pytest.fixture(scope="session")
def postgres_admin_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A superuser's connection string: `PIPEROLL_POSTGRES_DSN`, else a server of our own."""
    dsn = os.environ.get("PIPEROLL_POSTGRES_DSN")
    if dsn:
        yield dsn
        return
    with Stack(tmp_path_factory.mktemp("postgres"), only=("postgres",)) as stack:
        yield stack.admin_dsn


@pytest.fixture(scope="session")
def service_database(postgres_admin_dsn: str) -> Iterator[ServiceDatabase]:
    """Return `make(service, shards=8, mode=None, migrations=None, placed=None)`: each call gives a new database."""
    made: list[str] = []
    numbers = itertools.count()

    def make(
        service: str,
        shards: int = 8,
        mode: str | None = None,
        migrations: Path | None = None,
        placed: Collection[int] | None = None,
    ) -> Database:
        name = f"test_{service}_{os.getpid()}_{next(numbers)}"
        made.append(name)
        provision(postgres_admin_dsn, service, shards, database=name, mode=mode, migrations=migrations, placed=placed)
        admin_dsn = make_conninfo(postgres_admin_dsn, dbname=name)
        return Database(name, admin_dsn, make_conninfo(admin_dsn, user=f"piperoll_{service}"))

    yield make
    if "PIPEROLL_POSTGRES_DSN" not in os.environ:
        return  # the server goes away with its databases
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
