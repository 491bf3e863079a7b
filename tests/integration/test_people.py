"""The people database: once per content, erased for good, and each role sees only what it sends."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared.errors import StoreDown
from shared.people.reader import PeopleReader
from shared.people.sealing import Erased, MasterKey, WrongMasterKey
from shared.people.writer import PeopleWriter
from shared.postgres.provision import provision_people

KEY = MasterKey.of([bytes(range(32))])
ZOE = {"email": "zoe@example.org", "name": "Zoe Amaru"}


@pytest.fixture(scope="module")
def people_dsn(postgres_admin_dsn: str) -> Iterator[str]:
    """The superuser's connection string of a people database of this module."""
    name = f"test_people_{os.getpid()}"
    provision_people(postgres_admin_dsn, database=name)
    yield make_conninfo(postgres_admin_dsn, dbname=name)
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def as_role(dsn: str, service: str) -> str:
    return make_conninfo(dsn, user=f"piperoll_{service}")


@pytest.fixture
async def writer(people_dsn: str) -> AsyncIterator[PeopleWriter]:
    async with PeopleWriter(as_role(people_dsn, "gateway"), KEY) as opened:
        yield opened


@pytest.fixture
async def reader(people_dsn: str) -> AsyncIterator[PeopleReader]:
    async with PeopleReader(as_role(people_dsn, "notifier"), KEY) as opened:
        yield opened


@pytest.fixture
def member() -> str:
    return f"mem_{os.urandom(8).hex()}"


async def test_what_was_put_can_be_read(writer: PeopleWriter, reader: PeopleReader, member: str) -> None:
    versions = await writer.put("demo", member, ZOE)
    assert versions == {"email": 1, "name": 1}
    assert await reader.get("demo", member, versions) == ZOE


async def test_the_same_content_keeps_its_version(writer: PeopleWriter, member: str) -> None:
    assert await writer.put("demo", member, ZOE) == await writer.put("demo", member, ZOE)


async def test_new_content_is_a_new_version_and_the_old_one_stays(
    writer: PeopleWriter, reader: PeopleReader, member: str
) -> None:
    await writer.put("demo", member, ZOE)
    assert await writer.put("demo", member, {**ZOE, "email": "z@example.org"}) == {"email": 2, "name": 1}
    assert await reader.get("demo", member, {"email": 1}) == {"email": ZOE["email"]}
    assert await reader.get("demo", member, {"email": 2}) == {"email": "z@example.org"}


async def test_a_late_repeat_of_old_content_gets_its_old_version(writer: PeopleWriter, member: str) -> None:
    await writer.put("demo", member, ZOE)
    await writer.put("demo", member, {"name": "Zoe B."})
    assert await writer.put("demo", member, {"name": ZOE["name"]}) == {"name": 1}


async def test_one_member_id_in_two_tenants_is_two_people(
    writer: PeopleWriter, reader: PeopleReader, member: str
) -> None:
    await writer.put("one", member, {"name": "Ana"})
    await writer.put("two", member, {"name": "Bea"})
    assert await reader.get("two", member, {"name": 1}) == {"name": "Bea"}


async def test_concurrent_puts_of_one_content_agree(writer: PeopleWriter, member: str) -> None:
    answers = await asyncio.gather(*(writer.put("demo", member, ZOE) for _ in range(20)))
    assert all(answer == {"email": 1, "name": 1} for answer in answers)


async def test_concurrent_puts_of_different_contents_get_different_versions(
    writer: PeopleWriter, reader: PeopleReader, member: str
) -> None:
    names = [f"Zoe {number}" for number in range(5)]
    answers = await asyncio.gather(*(writer.put("demo", member, {"name": name}) for name in names))
    assert sorted(answer["name"] for answer in answers) == [1, 2, 3, 4, 5]
    read = [(await reader.get("demo", member, answer))["name"] for answer in answers]
    assert read == names


async def test_an_erased_member_is_erased_for_reader_and_writer(
    writer: PeopleWriter, reader: PeopleReader, member: str
) -> None:
    versions = await writer.put("demo", member, ZOE)
    assert await writer.erase("demo", member)
    assert not await writer.erase("demo", member)
    with pytest.raises(Erased, match=member):
        await reader.get("demo", member, versions)
    with pytest.raises(Erased, match=member):
        await writer.put("demo", member, ZOE)


async def test_erasure_leaves_neither_key_nor_values(writer: PeopleWriter, people_dsn: str, member: str) -> None:
    await writer.put("demo", member, ZOE)
    await writer.erase("demo", member)
    async with await psycopg.AsyncConnection.connect(people_dsn) as admin:
        keys = await (
            await admin.execute("SELECT wrapped, erased_at IS NULL FROM member_key WHERE member_id = %s", (member,))
        ).fetchall()
        values = await (await admin.execute("SELECT 1 FROM person_field WHERE member_id = %s", (member,))).fetchall()
    assert (keys, values) == ([(None, False)], [])


async def test_a_row_that_was_never_written_reads_as_erased(reader: PeopleReader, writer: PeopleWriter) -> None:
    with pytest.raises(Erased):
        await reader.get("demo", "mem_nobody", {"email": 1})
    await writer.put("demo", "mem_half", {"name": "Zoe"})
    with pytest.raises(Erased):
        await reader.get("demo", "mem_half", {"name": 1, "email": 1})


async def test_another_master_key_is_our_fault_and_not_an_erasure(
    writer: PeopleWriter, people_dsn: str, member: str
) -> None:
    versions = await writer.put("demo", member, ZOE)
    async with PeopleReader(as_role(people_dsn, "notifier"), MasterKey.of([bytes(32)])) as other:
        with pytest.raises(WrongMasterKey):
            await other.get("demo", member, versions)


async def test_nothing_in_the_database_is_readable(writer: PeopleWriter, people_dsn: str, member: str) -> None:
    await writer.put("demo", member, ZOE)
    async with await psycopg.AsyncConnection.connect(people_dsn) as admin:
        rows = await (
            await admin.execute("SELECT sealed, tag FROM person_field WHERE member_id = %s", (member,))
        ).fetchall()
    assert len(rows) == 2
    assert not any(part in bytes(sealed) for sealed, _ in rows for part in (b"zoe", b"Zoe", b"Amaru"))


async def test_the_gateway_reads_back_notes_and_nothing_else(writer: PeopleWriter, member: str) -> None:
    first = await writer.put("demo", member, {"note": "shows up on Monday"})
    second = await writer.put("demo", member, {"note": "a fee", **ZOE})
    assert (first, second["note"]) == ({"note": 1}, 2)
    wanted = [(member, 1), (member, 2), (member, 3), ("prn_nobody", 1)]
    assert await writer.notes("demo", wanted) == {(member, 1): "shows up on Monday", (member, 2): "a fee"}
    assert await writer.notes("other", wanted) == {}
    await writer.erase("demo", member)
    assert await writer.notes("demo", wanted) == {}


DENIED = [
    ("gateway", "SELECT sealed FROM person_field"),
    ("gateway", "UPDATE person_field SET sealed = tag"),
    ("gateway", "DELETE FROM person_field"),
    ("gateway", "UPDATE member_key SET wrapped = NULL"),
    ("notifier", "INSERT INTO member_key (tenant, member_id, master_key_id) VALUES ('a', 'b', 'c')"),
    ("notifier", "SELECT tag FROM person_field"),
    ("notifier", "SELECT erase_member('a', 'b')"),
    ("notifier", "SELECT sealed FROM read_notes('a', '{b}', '{1}')"),
    ("billing", "SELECT field FROM person_field"),
    ("billing", "SELECT wrapped FROM member_key"),
]


@pytest.mark.parametrize(("service", "statement"), DENIED)
async def test_a_role_may_do_only_what_its_service_does(people_dsn: str, service: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(as_role(people_dsn, service)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


async def test_the_notifier_sees_no_field_that_it_does_not_send(
    writer: PeopleWriter, reader: PeopleReader, member: str
) -> None:
    versions = await writer.put("demo", member, {"bank_account": "123"})
    with pytest.raises(Erased):
        await reader.get("demo", member, versions)


async def test_a_database_that_is_away_is_a_fault_of_the_world(people_dsn: str) -> None:
    async with PeopleReader(make_conninfo(people_dsn, host="127.0.0.1", port="1"), KEY) as reader:
        with pytest.raises(StoreDown):
            await reader.get("demo", "mem_1", {"email": 1})


async def test_a_broken_connection_is_replaced(writer: PeopleWriter, people_dsn: str, member: str) -> None:
    await writer.put("demo", member, ZOE)
    async with await psycopg.AsyncConnection.connect(people_dsn, autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await writer.put("demo", member, ZOE) == {"email": 1, "name": 1}
