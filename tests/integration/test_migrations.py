"""Migrations, provisioning and rights, each on a database with rows in it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, EventRow, Mode
from shared.eventlog.postgres import PostgresStore
from shared.postgres.migrate import MigrationRefused
from shared.postgres.provision import ProvisionRefused, provision, provision_people
from tests.conftest import Database, ServiceDatabase

Connection = psycopg.Connection[Any]


def put_events(database: Database, service: str, count: int) -> None:
    async def put() -> None:
        store = PostgresStore(database.dsn, service)
        held = await store.take_over(0)
        rows = [
            EventRow(0, held.next_position + n, "acc_a", held.next_position + n, os.urandom(16), "t.v1", b"data")
            for n in range(count)
        ]
        head = extend(held.head, held.next_position - 1, [leaf_hash(row.data) for row in rows])
        await store.append(
            Batch(
                shard=0,
                mode=Mode.OWNED,
                epoch=held.epoch,
                held_position=held.next_position,
                head=head,
                recorded_at=held.database_now,
                rows=rows,
            )
        )
        await store.close()

    asyncio.run(put())


def first_migration(folder: Path) -> Path:
    folder.mkdir()
    (folder / "0001_invoice.sql").write_text("CREATE TABLE invoice (id text PRIMARY KEY);\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return first_migration(tmp_path / "migrations")


@pytest.fixture
def database(service_database: ServiceDatabase, folder: Path) -> Database:
    return with_rows(service_database, folder)


@pytest.fixture(scope="module")
def kept(service_database: ServiceDatabase, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for the tests that cannot change it."""
    return with_rows(service_database, first_migration(tmp_path_factory.mktemp("kept") / "migrations"))


def with_rows(service_database: ServiceDatabase, folder: Path) -> Database:
    made = service_database("billing", shards=2, migrations=folder)
    put_events(made, "billing", 3)
    with psycopg.connect(made.dsn) as service:
        service.execute("INSERT INTO invoice VALUES ('inv_1')")
    return made


def again(database: Database, folder: Path, shards: int = 2) -> None:
    provision(database.admin_dsn, "billing", shards, database=database.name, migrations=folder)


# ---- migrations


def test_a_second_run_changes_nothing(database: Database, folder: Path) -> None:
    again(database, folder)
    with psycopg.connect(database.dsn) as service:
        assert service.execute("SELECT count(*) FROM event").fetchone() == (3,)


def test_a_new_migration_runs_on_a_database_with_rows(database: Database, folder: Path) -> None:
    (folder / "0002_due.sql").write_text(
        "ALTER TABLE invoice ADD COLUMN due date NOT NULL DEFAULT '2026-01-01';\nCREATE TABLE later (id text);\n"
    )
    again(database, folder)
    with psycopg.connect(database.dsn) as service:
        assert service.execute("SELECT id, due::text FROM invoice").fetchall() == [("inv_1", "2026-01-01")]
        service.execute("INSERT INTO later VALUES ('x')")
        entries = service.execute("SELECT folder, number FROM schema_migration WHERE folder = 'billing'").fetchall()
    assert entries == [("billing", 1), ("billing", 2)]


def test_a_changed_applied_migration_is_refused(database: Database, folder: Path) -> None:
    (folder / "0001_invoice.sql").write_text("CREATE TABLE invoice (id text);\n")
    with pytest.raises(MigrationRefused, match=r"billing/0001_invoice was changed after it had been applied"):
        again(database, folder)


def test_a_database_of_a_newer_version_is_refused(database: Database, folder: Path) -> None:
    (folder / "0002_due.sql").write_text("SELECT 1;\n")
    again(database, folder)
    (folder / "0002_due.sql").unlink()
    with pytest.raises(MigrationRefused, match=r"billing/0002_due, which this version does not know"):
        again(database, folder)


def test_a_failing_migration_leaves_nothing_behind(database: Database, folder: Path) -> None:
    (folder / "0002_broken.sql").write_text("CREATE TABLE half (id text);\nSELECT no_such_thing();\n")
    with pytest.raises(MigrationRefused, match=r"billing/0002_broken failed"):
        again(database, folder)
    with psycopg.connect(database.dsn) as service:
        assert service.execute("SELECT to_regclass('half')").fetchone() == (None,)


@pytest.mark.parametrize("name", ["0003_gap.sql", "2_short.sql", "0001_twice.sql"])
def test_names_with_gaps_or_doubles_are_refused(database: Database, folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;\n")
    with pytest.raises(MigrationRefused):
        again(database, folder)


def test_another_number_of_shards_is_refused(database: Database, folder: Path) -> None:
    with pytest.raises(ProvisionRefused, match="made with 2 shards and 3 are asked for"):
        again(database, folder, shards=3)


def test_requests_of_before_stay_and_those_that_change_things_need_a_subject(
    service_database: ServiceDatabase, tmp_path: Path
) -> None:
    gateway = Path(__file__).parents[2] / "services" / "gateway" / "migrations"
    (first,) = gateway.glob("0001_*.sql")
    (tmp_path / first.name).write_text(first.read_text(encoding="utf-8"))
    made = service_database("gateway", shards=2, migrations=tmp_path)
    row = "INSERT INTO request (id, tenant, kind, account_id, shard, position, root, digest, body, created_at{})"
    values = " VALUES (%s, 't', %s, %s, 0, 1, '', '', '{{}}', now(){})"
    with psycopg.connect(made.dsn) as service:
        service.execute((row + values).format("", "").encode(), ("pay_0_a", "payment", "acc_a"))
        service.execute("INSERT INTO invoice_view (invoice_id, total_minor, paid_minor) VALUES ('inv_0_a', 10, 4)")
    provision(made.admin_dsn, "gateway", 2, database=made.name, migrations=gateway)
    with psycopg.connect(made.dsn, autocommit=True) as service:
        assert service.execute("SELECT id, operation FROM request").fetchall() == [("pay_0_a", None)]
        assert service.execute("SELECT total_minor - voided_minor, is_void FROM invoice_view").fetchall() == [
            (10, False)
        ]
        named = (row + values).format(", operation, subject", ", 'payments.cancel', 'pay_0_a'").encode()
        service.execute(named, ("req_0_a", "request", None))
        for statement, kind in ((named, "payment"), ((row + values).format("", "").encode(), "request")):
            with pytest.raises(psycopg.errors.CheckViolation):
                service.execute(statement, ("x", kind, None))


def test_the_gateways_shards_are_shared_and_the_others_owned(service_database: ServiceDatabase) -> None:
    for service, mode in (("gateway", "shared"), ("notifier", "owned")):
        with psycopg.connect(service_database(service, shards=2).dsn) as connection:
            found = connection.execute("SELECT shard, mode FROM shard ORDER BY shard").fetchall()
        assert found == [(0, mode), (1, mode)]


# ---- rights


@pytest.fixture
def service(kept: Database) -> Iterator[Connection]:
    with psycopg.connect(kept.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(kept: Database) -> Iterator[Connection]:
    with psycopg.connect(kept.admin_dsn, autocommit=True) as connection:
        connection.execute("SET ROLE piperoll_billing_migrator")
        yield connection


CHANGES = [
    "UPDATE {table} SET data = '' WHERE position = 1",
    "UPDATE {table} SET data = '' WHERE false",
    "DELETE FROM {table} WHERE position = 1",
    "TRUNCATE {table}",
]


@pytest.mark.parametrize("table", ["event", "event_0"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_service_may_not_change_an_event(service: Connection, table: str, change: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(change.format(table=table).encode())


@pytest.mark.parametrize("table", ["event", "event_0"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_may_not_change_an_event_either(owner: Connection, table: str, change: str) -> None:
    with pytest.raises(psycopg.DatabaseError, match="events are never changed") as refused:
        owner.execute(change.format(table=table).encode())
    assert refused.value.sqlstate == "PRE01"


def test_replica_mode_does_not_open_the_door(kept: Database) -> None:
    with psycopg.connect(kept.admin_dsn, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.DatabaseError, match="events are never changed"):
            admin.execute("DELETE FROM event")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shard SET next_position = 1",
        "INSERT INTO shard (shard, mode) VALUES (9, 'owned')",
        "DELETE FROM shard",
        "DELETE FROM parked",
        "SELECT create_shard(9, 'owned', 'piperoll_billing')",
        "SELECT guard('cursor')",
        "DELETE FROM schema_migration",
        "DROP TABLE event_0",
        "ALTER TABLE event DISABLE TRIGGER ALL",
        "CREATE TABLE public.mine (id text)",
    ],
)
def test_the_service_reaches_the_shard_only_through_its_functions(service: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute(statement.encode())


def test_the_service_works_with_its_own_tables(service: Connection) -> None:
    service.execute("INSERT INTO invoice VALUES ('inv_2')")
    service.execute("UPDATE invoice SET id = 'inv_3' WHERE id = 'inv_2'")
    service.execute("DELETE FROM invoice WHERE id = 'inv_3'")


def test_another_service_cannot_connect(kept: Database, service_database: ServiceDatabase) -> None:
    service_database("notifier", shards=1)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(make_conninfo(kept.dsn, user="piperoll_notifier"))


def test_the_fence_names_what_it_found(service: Connection) -> None:
    with pytest.raises(psycopg.DatabaseError, match="it has mode owned, epoch 1, position 4") as fenced:
        service.execute("SELECT fence(0, 'owned', 0, 1, 2, '', now())")
    assert fenced.value.sqlstate == "PRF01"


def test_the_bounds_on_every_wait_are_set_and_the_dsns_own_settings_kept(kept: Database) -> None:
    from shared.postgres.pool import pool

    dsn = make_conninfo(kept.dsn, sslmode="disable", options="-c work_mem=1234kB", application_name="mine")
    with pool(dsn, "other") as opened, opened.connection() as connection:
        settings = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout", "work_mem", "application_name")
        }
        assert connection.info.get_parameters()["sslmode"] == "disable"
    assert [value for value in settings.values() if value] == [("2s",), ("10s",), ("1234kB",), ("mine",)]


def test_the_people_database_is_made_and_made_again(postgres_admin_dsn: str, service_database: ServiceDatabase) -> None:
    service_database("ledger", shards=1)
    name = f"test_people_{os.getpid()}"
    for _ in range(2):
        provision_people(postgres_admin_dsn, database=name)
    with psycopg.connect(make_conninfo(postgres_admin_dsn, dbname=name, user="piperoll_gateway")) as gateway:
        assert gateway.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone() == (False,)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(make_conninfo(postgres_admin_dsn, dbname=name, user="piperoll_ledger"))
