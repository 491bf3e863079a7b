"""Databases and roles of the services, brought to the present version at every start."""

from __future__ import annotations

DATABASE_SERVICES = ("gateway", "billing", "ledger", "notifier")


def prepare(admin_dsn: str, shards: int) -> None:
    """Make or migrate every service's database and the people database; repeated, it changes nothing."""
    from shared.postgres.provision import provision, provision_people

    provision_people(admin_dsn)
    for service in DATABASE_SERVICES:
        provision(admin_dsn, service, shards)
