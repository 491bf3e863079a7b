"""Backup and restore on real servers: whole or not at all, what was archived is back, what was erased is not."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy.local import backup, databases
from deploy.local.archive import Archive
from deploy.local.errors import AlreadyRunningError, LocalStackError, NotRunningError
from deploy.local.folder import StateFolder
from deploy.local.postgres import binaries
from deploy.local.restore import restore
from deploy.local.stack import Stack
from deploy.local.status import read
from shared.people.reader import PeopleReader
from shared.people.sealing import Erased, MasterKey
from shared.people.writer import PeopleWriter

REPOSITORY = Path(__file__).resolve().parents[2]
SERVERS = ("postgres", "people", "kafka")
_numbers = itertools.count(1)


@pytest.fixture(autouse=True, scope="module")
def _servers_of_our_own() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIPEROLL_POSTGRES_DSN", "PIPEROLL_KAFKA_BOOTSTRAP"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("backed-up"), only=SERVERS) as running:
        databases.prepare(running.admin_dsn, 8)
        databases.prepare_people(running.people_admin_dsn)
        yield running


def note(stack: Stack, text: str) -> None:
    """Commit one row at the books' server."""
    with psycopg.connect(stack.admin_dsn, autocommit=True) as books:
        books.execute("CREATE TABLE IF NOT EXISTS noted (line text)")
        books.execute("INSERT INTO noted VALUES (%s)", (text,))


def noted(stack: Stack) -> list[str]:
    with psycopg.connect(stack.admin_dsn) as books:
        return [row[0] for row in books.execute("SELECT line FROM noted").fetchall()]


def until_archived(stack: Stack) -> None:
    """Return once all WAL written so far has reached the archive."""
    deadline = time.monotonic() + 30
    with psycopg.connect(stack.admin_dsn, autocommit=True) as books:
        row = books.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert row is not None
        while books.execute("SELECT 1 FROM pg_stat_replication WHERE write_lsn >= %s", row).fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def slots(stack: Stack) -> list[tuple[str, bool]]:
    with psycopg.connect(stack.admin_dsn) as books:
        return books.execute("SELECT slot_name, active FROM pg_replication_slots").fetchall()


def known(stack: Stack, member: str) -> str:
    """Return the member's name as the notifier reads it."""

    async def read() -> str:
        key = MasterKey.read(stack.state.master_key)
        async with PeopleReader(stack.people_dsn("notifier"), key) as reader:
            return (await reader.get("demo", member, {"name": 1}))["name"]

    return asyncio.run(read())


def introduce(stack: Stack, *, erase: bool = False) -> str:
    member = f"mem_{next(_numbers)}"

    async def write() -> None:
        key = MasterKey.read(stack.state.master_key)
        async with PeopleWriter(stack.people_dsn("gateway"), key) as writer:
            await writer.put("demo", member, {"name": "Ana Castillo"})
            if erase:
                await writer.erase("demo", member)

    asyncio.run(write())
    return member


def test_what_is_written_after_a_backup_is_restored_too_and_no_newer_people_are_lost(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with Stack(tmp_path / "state", only=SERVERS) as stack:
        databases.prepare(stack.admin_dsn, 8)
        databases.prepare_people(stack.people_admin_dsn)
        note(stack, "before")
        backup.take(stack.state, folder)
        note(stack, "after")
        stack.kill("archive", signal.SIGKILL)
        stack.kill("postgres", signal.SIGKILL)
        stack.wait_ready()
        note(stack, "after both were killed")
        until_archived(stack)
        newer = introduce(stack)
        with pytest.raises(AlreadyRunningError):
            restore(stack.state, folder, replace=True)
    state = StateFolder(tmp_path / "state")
    with pytest.raises(LocalStackError, match="--replace"):
        restore(state, folder)
    done = restore(state, folder, replace=True)
    assert done.moved_aside is not None
    assert (done.moved_aside / "data" / "PG_VERSION").exists()
    assert (done.people_loaded, done.behind) == (False, {})
    with Stack(tmp_path / "state", only=SERVERS) as stack:
        assert noted(stack) == ["before", "after", "after both were killed"]
        assert known(stack, newer) == "Ana Castillo"
        assert "archive" not in stack.processes
        backup.take(stack.state, tmp_path / "next")
        note(stack, "on the new timeline")
        until_archived(stack)
    restore(state, tmp_path / "next", replace=True)
    with Stack(tmp_path / "state", only=("postgres",)) as stack:
        assert noted(stack)[-1] == "on the new timeline"


def test_a_newer_backup_takes_the_archive_over_and_the_server_keeps_wal_for_it_alone(
    stack: Stack, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        backup.take(stack.state, tmp_path / name)
    archive = Archive.of(stack.state)
    assert archive is not None
    assert archive.folder == str(tmp_path / "second" / "wal")
    assert slots(stack) == [(archive.slot, True)]


def test_a_segment_that_was_only_begun_when_the_archiver_was_killed_does_not_end_archiving(
    stack: Stack, tmp_path: Path
) -> None:
    backup.take(stack.state, tmp_path / "backup")
    note(stack, "before")
    until_archived(stack)
    stack.stop_process("archive")
    [begun] = (tmp_path / "backup" / "wal").glob("*.partial")
    os.truncate(begun, 4_194_304)
    stack.start_process("archive")
    note(stack, "after")
    until_archived(stack)


def test_a_stack_whose_backup_was_deleted_starts_and_says_that_nothing_is_archived(tmp_path: Path) -> None:
    with Stack(tmp_path / "state", only=("postgres", "people")) as stack:
        databases.prepare_people(stack.people_admin_dsn)
        backup.take(stack.state, tmp_path / "backup")
    shutil.rmtree(tmp_path / "backup")
    with Stack(tmp_path / "state", only=("postgres", "people")) as stack:
        until(lambda: "archive" in {one.name for one in read(stack.state).processes if not one.is_well})
        assert {one.name for one in read(stack.state).processes if one.is_well} == {"postgres", "people"}


def test_a_backup_is_never_written_over(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(LocalStackError, match="never written over"):
        backup.take(stack.state, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_without_a_running_stack_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        backup.take(StateFolder(tmp_path / "nowhere"), tmp_path / "backup")


def test_a_backup_killed_in_the_middle_is_none_and_the_next_one_clears_up_after_it(
    stack: Stack, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "services.cli", "admin", "backup", str(tmp_path / "half")]
    with subprocess.Popen([*command, "--state", str(stack.state)], cwd=REPOSITORY, process_group=0) as half:
        while not list(tmp_path.glob(".half.*/books/*")):
            assert half.poll() is None
            time.sleep(0.01)
        os.killpg(half.pid, signal.SIGKILL)
    assert not (tmp_path / "half").exists()
    backup.take(stack.state, tmp_path / "whole")
    assert [active for _, active in slots(stack)] == [True]


def test_a_damaged_backup_is_refused_and_nothing_is_moved(stack: Stack, tmp_path: Path) -> None:
    backup.take(stack.state, tmp_path / "backup")
    victim = next(path for path in (tmp_path / "backup" / "books" / "base").rglob("1259") if path.stat().st_size)
    with victim.open("r+b") as file:
        file.seek(100)
        file.write(bytes([file.read(1)[0] ^ 1]))
    with pytest.raises(LocalStackError, match="pg_verifybackup failed"):
        restore(StateFolder(tmp_path / "state"), tmp_path / "backup")
    assert not (tmp_path / "state").exists()


def test_no_trace_of_people_is_in_the_books_of_a_backup_nor_in_its_wal(stack: Stack, tmp_path: Path) -> None:
    member = introduce(stack)
    backup.take(stack.state, tmp_path / "backup")
    introduce(stack)
    until_archived(stack)
    files = [path for part in ("books", "wal") for path in (tmp_path / "backup" / part).rglob("*") if path.is_file()]
    assert [path for path in files if member.encode() in path.read_bytes()] == []


def test_what_was_erased_is_in_no_people_backup_taken_since(stack: Stack, tmp_path: Path) -> None:
    folder, member = tmp_path / "backup", introduce(stack)
    backup.take(stack.state, folder)
    with psycopg.connect(make_conninfo(stack.people_admin_dsn, dbname="piperoll_people")) as people:
        row = people.execute("SELECT wrapped FROM member_key WHERE member_id = %s", (member,)).fetchone()
        assert row is not None
        people.execute("SELECT erase_member('demo', %s)", (member,))
    wrapped: str = row[0].hex()
    assert wrapped in plain(folder / "people-1" / "keys.dump")
    backup.take_people(stack.state, folder)
    assert sorted(path.name for path in folder.glob("people-*")) == ["people-2"]
    assert wrapped not in plain(folder / "people-2" / "keys.dump")


def plain(dump: Path) -> str:
    ran = subprocess.run([str(binaries() / "pg_restore"), "-f", "-", str(dump)], capture_output=True, check=True)
    return ran.stdout.decode()


def test_people_are_restored_where_there_are_none_and_only_with_the_key_that_opens_them(
    stack: Stack, tmp_path: Path
) -> None:
    kept, erased = introduce(stack), introduce(stack, erase=True)
    note(stack, "with people")
    backup.take(stack.state, tmp_path / "backup")
    state = StateFolder(tmp_path / "state")
    with pytest.raises(LocalStackError, match="put the key file there"):
        restore(state, tmp_path / "backup")
    assert not state.postgres.exists()
    state.master_key.write_bytes(stack.state.master_key.read_bytes())
    assert restore(state, tmp_path / "backup").people_loaded
    with Stack(tmp_path / "state", only=SERVERS) as restored:
        assert "with people" in noted(restored)
        assert known(restored, kept) == "Ana Castillo"
        with pytest.raises(Erased):
            known(restored, erased)
        with pytest.raises(Erased):
            introduce_again(restored, erased)


def introduce_again(stack: Stack, member: str) -> None:
    async def write() -> None:
        async with PeopleWriter(stack.people_dsn("gateway"), MasterKey.read(stack.state.master_key)) as writer:
            await writer.put("demo", member, {"name": "Ana Castillo"})

    asyncio.run(write())
