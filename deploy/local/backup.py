"""`piperoll admin backup`: the books while money moves, and the people database apart.

    DIR/books/       a base backup of the books' server, with the WAL that makes it whole
    DIR/wal/         the WAL since, received second by second until a newer backup takes over
    DIR/people-N/    the members' keys and, apart from them, the sealed fields: rows as they are, no WAL
    DIR/backup.json  what it is

Everything is written under another name, verified, and renamed when it is whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local import people_backup, stack_clock
from deploy.local.archive import Archive
from deploy.local.errors import LocalStackError, NotRunningError
from deploy.local.files import read_json_object, sync_folder, write_atomically
from deploy.local.folder import SHARDS, StateFolder
from deploy.local.home import Say, quiet
from deploy.local.postgres import run_tool

FORMAT_VERSION = 1
BOOKS, WAL, MANIFEST = "books", "wal", "backup.json"
_ARCHIVED_WITHIN_S = 20.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Backup:
    """What `backup.json` says; `clock_ahead_s` is how far the stack's time was ahead of the machine's."""

    format: int
    taken_at: str
    clock_ahead_s: int
    books_bytes: int
    seconds: float
    shards: int = SHARDS


def take(state: StateFolder, folder: Path, say: Say = quiet) -> Backup:
    """Back up the running stack into a new folder and archive its WAL there from now on.

    LocalStackError where the folder holds something, the servers are not the stack's own, or anything is not whole.
    """
    began = time.monotonic()
    books_dsn, people_dsn = _servers(state)
    target = folder.expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise LocalStackError(f"{target} holds something already: a backup is never written over, name a new folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(state), _slot(books_dsn) as slot:
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            (work / WAL).mkdir(mode=0o700)
            say("copying the books ...")
            _copy_books(books_dsn, work / BOOKS)
            say("verifying the copy ...")
            verify_books(work)
            people_backup.write(people_dsn, work)
            size = sum(path.stat().st_size for path in (work / BOOKS).rglob("*") if path.is_file())
            backup = Backup(
                FORMAT_VERSION,
                datetime.now(UTC).isoformat(timespec="seconds"),
                stack_clock.read_s(state),
                size,
                round(time.monotonic() - began, 1),
                state.shards(),
            )
            write_atomically(work / MANIFEST, json.dumps(asdict(backup), indent=1) + "\n")
            os.rename(work, target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        sync_folder(target.parent)
        Archive(str(target / WAL), slot).name_in(state)
    _wait_until_archived(books_dsn, slot)
    return backup


def take_people(state: StateFolder, folder: Path) -> None:
    """Replace what an existing backup holds of the people database, so that what was erased is gone from it too."""
    read(folder)
    with _alone(state):
        people_backup.write(_servers(state)[1], folder)


def read(folder: Path) -> Backup:
    """Return what a backup says of itself; LocalStackError when the folder is none of ours."""
    found = read_json_object(folder / MANIFEST)
    if found.get("format") != FORMAT_VERSION:
        raise LocalStackError(f"{folder} is no backup that this piperoll reads: it has no {MANIFEST} of its format")
    return Backup(**found)


def verify_books(folder: Path) -> None:
    """Compare every file of the base backup with its manifest's checksum and read its WAL; LocalStackError if not."""
    run_tool("pg_verifybackup", "--quiet", "--exit-on-error", str(folder / BOOKS))


def _servers(state: StateFolder) -> tuple[str, str]:
    """Return the superuser's connection strings of the books' and the people database's servers."""
    record = read_json_object(state.running)
    if not state.is_locked() or not isinstance(record.get("admin_dsn"), str):
        raise NotRunningError(state.path)
    if not {"postgres", "people"} <= set(record["processes"]):
        raise LocalStackError("PostgreSQL is not the stack's own here: back it up with what runs it")
    return record["admin_dsn"], record["people_admin_dsn"]


@contextmanager
def _alone(state: StateFolder) -> Iterator[None]:
    with (state.path / "backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalStackError(f"another backup of {state} is under way") from None
        yield


@contextmanager
def _slot(dsn: str) -> Iterator[str]:
    """Have the server keep all WAL from here on until it is archived; what older backups asked for is let go after."""
    import psycopg

    name = f"piperoll_{secrets.token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
    try:
        yield name
    except BaseException:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("SELECT pg_drop_replication_slot(%s)", (name,))
        raise


def _copy_books(dsn: str, into: Path) -> None:
    run_tool(
        "pg_basebackup", "--dbname", dsn, "--pgdata", str(into), "--wal-method=stream", "--checkpoint=fast",
        "--manifest-checksums=SHA256", "--label=piperoll",
    )  # fmt: skip


def _wait_until_archived(dsn: str, slot: str) -> None:
    """Return when the archive of this backup is being filled, older slots dropped."""
    import psycopg

    deadline = time.monotonic() + _ARCHIVED_WITHIN_S
    with psycopg.connect(dsn, autocommit=True) as admin:
        while not _is_active(admin.execute(_IS_ACTIVE, (slot,)).fetchone()):
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"the backup is whole, but no WAL arrived beside it within {_ARCHIVED_WITHIN_S:.0f} s: "
                    "see `piperoll logs archive`"
                )
            time.sleep(_POLL_S)
        admin.execute(_DROP_OLDER, (slot,))


def _is_active(row: tuple[object, ...] | None) -> bool:
    return row is not None and row[0] is True


_IS_ACTIVE = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
_DROP_OLDER = (
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
    " WHERE slot_name LIKE 'piperoll%%' AND slot_name <> %s AND NOT active"
)
