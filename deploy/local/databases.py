"""Databases and roles of the services, brought to the present version at every start."""

from __future__ import annotations

SERVICES = ("gateway", "billing", "ledger", "notifier")


def prepare(admin_dsn: str, shards: int, service_password: str | None = None) -> None:
    """Make or migrate every service's database; repeated, it changes nothing.

    `service_password` is given to the services' roles, for a server that asks for one; ours knows its users itself.
    """
    from shared.postgres.provision import provision

    for service in SERVICES:
        provision(admin_dsn, service, shards)
    if service_password is not None:
        _set_passwords(admin_dsn, service_password)


def prepare_people(admin_dsn: str) -> None:
    """Make or migrate the people database, with the roles of those that read it; repeated, it changes nothing."""
    from shared.postgres.provision import provision_people

    provision_people(admin_dsn)


def _set_passwords(admin_dsn: str, password: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        for service in SERVICES:
            role = sql.Identifier(f"piperoll_{service}")
            admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
