"""Roles, databases, migrations and shards of the services, brought to the present version; repeated, nothing changes.

Per service: `piperoll_<service>_migrator` owns database and tables and cannot log in; `piperoll_<service>` works with
them, may read and add events and never change one. Passwords are the operator's.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared.errors import OwnFault
from shared.postgres.migrate import Folder, migrate

_ROOT = Path(__file__).resolve().parents[2]
_LOG_MIGRATIONS = _ROOT / "shared" / "eventlog" / "migrations"
_PEOPLE_MIGRATIONS = _ROOT / "shared" / "people" / "migrations"
_SERVICE = re.compile(r"^[a-z][a-z_]{0,30}\Z")
_PEOPLE_READERS = ("gateway", "billing", "notifier")
_LOCK_KEY = 0x7069706571
_SHARED_MODE_SERVICES = ("gateway",)

Connection = psycopg.Connection[Any]


class ProvisionRefused(OwnFault):
    """What is asked does not fit what is there; nothing was changed."""


def provision(
    admin_dsn: str,
    service: str,
    shards: int,
    *,
    database: str | None = None,
    mode: str | None = None,
    migrations: Path | None = None,
    placed: Collection[int] | None = None,
) -> None:
    """Make or bring up the roles and the database of a service with its event log of `shards` shards.

    `placed` are the shards of these that lie on this server; all of them unless named.

    `database` is `piperoll_<service>` unless named; `mode` of new shards is `shared` for the gateway, else `owned`;
    `migrations` is the service's own folder, `services/<service>/migrations` unless named, and may be missing.
    Other shards than the database was made with raise ProvisionRefused.
    """
    if not _SERVICE.match(service):
        raise ValueError(f"{service!r} is no name of a service")
    if shards < 1:
        raise ValueError("a log has at least one shard")
    wanted = sorted(range(shards) if placed is None else placed)
    if not wanted or not set(wanted) <= set(range(shards)):
        raise ValueError(f"of shards 0 to {shards - 1} a server has at least one and no other, not {wanted}")
    name = database or f"piperoll_{service}"
    owner, user = f"piperoll_{service}_migrator", f"piperoll_{service}"
    _make_database(admin_dsn, name, owner, [user])
    folders = [Folder("eventlog", _LOG_MIGRATIONS)]
    own = migrations or _ROOT / "services" / service / "migrations"
    if own.is_dir():
        folders.append(Folder(service, own))
    with _connect(admin_dsn, name) as connection:
        there = _shards_of(connection)
        if len(there) not in (0, len(wanted)):
            raise ProvisionRefused(
                f"database {name} was made with {len(there)} shards and {len(wanted)} are asked for: "
                "the number of shards is fixed for life"
            )
        if there not in ([], wanted):
            raise ProvisionRefused(f"database {name} was made with shards {there} and {wanted} are asked for")
        migrate(connection, folders, role=owner, settings=[("piperoll.service_role", user)])
        if not there:
            _make_shards(connection, wanted, mode or _mode_of(service), owner, user)


def provision_people(admin_dsn: str, *, database: str = "piperoll_people") -> None:
    """Make or bring up the people database; its migrations grant to the services' roles, which are made first."""
    owner = "piperoll_people_migrator"
    _make_database(admin_dsn, database, owner, [f"piperoll_{service}" for service in _PEOPLE_READERS], private=True)
    folders = [Folder("people", _PEOPLE_MIGRATIONS)] if _PEOPLE_MIGRATIONS.is_dir() else []
    with _connect(admin_dsn, database) as connection:
        migrate(connection, folders, role=owner)


def _connect(admin_dsn: str, database: str | None = None) -> Connection:
    dsn = make_conninfo(admin_dsn, dbname=database) if database else admin_dsn
    return psycopg.connect(dsn, autocommit=True, application_name="piperoll-provision")


def _make_database(admin_dsn: str, name: str, owner: str, users: list[str], *, private: bool = False) -> None:
    """Make roles and database where they are missing; `private` gives the users no tables by default."""
    with _connect(admin_dsn) as admin:
        roles = admin.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", ([owner, *users],)).fetchall()
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if len(roles) == len(users) + 1 and found:
            with _connect(admin_dsn, name) as connection:
                _let_in(connection, name, owner, users, private=private)
            return
        admin.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
        _make_role(admin, owner, "NOLOGIN")
        for user in users:
            _make_role(admin, user, "LOGIN")
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
    with _connect(admin_dsn, name) as connection:
        _let_in(connection, name, owner, users, private=private)


def _make_role(admin: Connection, role: str, login: str) -> None:
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
        admin.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), sql.SQL(login)))
    may_become = admin.execute("SELECT pg_has_role(%s, 'SET')", (role,)).fetchone()
    if may_become is not None and not may_become[0]:
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _let_in(connection: Connection, name: str, owner: str, users: list[str], *, private: bool) -> None:
    """Keep strangers out, let the users in, and give them the tables that later migrations make."""
    let_in = connection.execute(
        "SELECT bool_and(has_database_privilege(u, %s, 'CONNECT')), NOT has_database_privilege('public', %s, 'CONNECT')"
        " FROM unnest(%s::text[]) u",
        (name, name, users),
    ).fetchone()
    if let_in == (True, True):
        return
    database, owning = sql.Identifier(name), sql.Identifier(owner)
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(owning))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        for user in map(sql.Identifier, users):
            connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, user))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(user))
            if private:
                continue
            for what, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
                connection.execute(
                    sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT {} ON {} TO {}").format(
                        owning, sql.SQL(rights), sql.SQL(what), user
                    )
                )


def _mode_of(service: str) -> str:
    return "shared" if service in _SHARED_MODE_SERVICES else "owned"


def _shards_of(connection: Connection) -> list[int]:
    there = connection.execute("SELECT to_regclass('public.shard') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return []
    return [shard for (shard,) in connection.execute("SELECT shard FROM public.shard ORDER BY shard").fetchall()]


def _make_shards(connection: Connection, shards: list[int], mode: str, owner: str, user: str) -> None:
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))
        connection.execute("LOCK TABLE shard IN EXCLUSIVE MODE")
        if not _shards_of(connection):
            connection.execute("SELECT create_shard(n, %s, %s) FROM unnest(%s::integer[]) n", (mode, user, shards))
