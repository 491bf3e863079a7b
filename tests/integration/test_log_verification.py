"""What the verifier of a log finds, on a database where somebody with all rights changed rows."""

import psycopg
import pytest

from shared.eventlog.merkle import EMPTY_ROOT
from shared.eventlog.packing import pack, unpack
from shared.eventlog.verify import BrokenLog, verify_log
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.unit.ledger.story import allocated, bill, registered, settled


@pytest.fixture
async def database(service_database: ServiceDatabase) -> Database:
    made = service_database("ledger", SHARDS)
    async with held_shard(made.dsn) as shard:
        await shard.tell(bill(), registered(), settled(), allocated())
    return made


def tamper(database: Database, *statements: str) -> None:
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE event_0 DISABLE TRIGGER refuse_change")
        for statement in statements:
            connection.execute(statement.encode())


def test_an_untouched_log_fits_its_head(database: Database) -> None:
    verified = verify_log(database.dsn, 0)

    assert verified.size == 4
    assert len(verified.root) == 32


def test_an_empty_log_has_the_empty_root(database: Database) -> None:
    assert verify_log(database.dsn, 1) == (1, 0, EMPTY_ROOT)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM event_0 WHERE position = 4", "has 3 events"),
        ("DELETE FROM event_0 WHERE position = 2", "position 3: its position leaves a gap"),
        ("UPDATE event_0 SET type = 'ledger.limit-broken.v1' WHERE position = 2", "position 2: its columns differ"),
        ("UPDATE event_0 SET version = 9 WHERE position = 4", "version 9 of"),
        ("UPDATE event_0 SET data = 'x' WHERE position = 1", "position 1: not_json"),
        ("UPDATE event_0 SET data = '\\x28b52ffd' WHERE position = 1", "position 1: a stored frame"),
        ("UPDATE shard SET next_position = 4 WHERE shard = 0", "its row says 3"),
    ],
)  # fmt: skip
def test_a_changed_log_is_found_out(database: Database, statement: str, says: str) -> None:
    tamper(database, statement)

    with pytest.raises(BrokenLog, match=says):
        verify_log(database.dsn, 0)


def test_a_changed_amount_is_found_out(database: Database) -> None:
    with psycopg.connect(database.admin_dsn) as connection:
        found = connection.execute("SELECT data FROM event_0 WHERE position = 3").fetchone()
    assert found is not None
    changed = unpack(found[0]).replace(b"18165", b"18164")
    for stored in (changed, pack(changed)):
        statement = f"UPDATE event_0 SET data = '\\x{stored.hex()}' WHERE position = 3"  # noqa: S608 - hexadecimal
        tamper(database, statement)
        with pytest.raises(BrokenLog, match="the tree over its 4 events"):
            verify_log(database.dsn, 0)
