"""Numbered, forward-only migrations: each runs once, in one transaction with its entry in `schema_migration`."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from shared.errors import OwnFault

_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK_KEY = 0x7069706572


class MigrationRefused(OwnFault):
    """The database and the migration files do not fit; nothing was changed."""


class Folder(NamedTuple):
    """A folder of migrations; `name` is part of their key, so that several folders number from 1."""

    name: str
    path: Path


class Migration(NamedTuple):
    folder: str
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_folder(folder: Folder) -> list[Migration]:
    """Return a folder's migrations in order; a wrong name, a gap or a double number raises MigrationRefused."""
    found: list[Migration] = []
    for file in sorted(folder.path.glob("*.sql")):
        match = _FILE.match(file.name)
        if match is None:
            raise MigrationRefused(f"{file}: a migration is named 0001_words.sql")
        found.append(Migration(folder.name, int(match[1]), file.stem, file.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise MigrationRefused(f"{folder.path}: numbers must run from 1 without a gap, not {numbers}")
    return found


def migrate(
    connection: psycopg.Connection[Any],
    folders: Sequence[Folder],
    *,
    role: str,
    settings: Sequence[tuple[str, str]] = (),
) -> int:
    """Bring the database up to the files and return how many ran; at most one process does so at a time.

    `connection` is in autocommit and may SET ROLE to `role`, which owns what is made. `settings` are visible to the
    migrations by `current_setting`. A changed applied file or an entry without a file raises MigrationRefused.
    """
    wanted = [migration for folder in folders for migration in read_folder(folder)]
    if not _missing(connection, wanted):
        return 0
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
    try:
        with connection.transaction():
            _become(connection, role)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migration (folder text, number integer, name text NOT NULL,"
                " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
                " PRIMARY KEY (folder, number))"
            )
        missing = _missing(connection, wanted)
        for migration in missing:
            _apply(connection, migration, role, settings)
        return len(missing)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK_KEY,))


def _missing(connection: psycopg.Connection[Any], wanted: Sequence[Migration]) -> list[Migration]:
    there = connection.execute("SELECT to_regclass('public.schema_migration') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return list(wanted)
    rows = connection.execute("SELECT folder, number, name, checksum FROM schema_migration").fetchall()
    applied = {(folder, number): (name, checksum) for folder, number, name, checksum in rows}
    by_key = {(migration.folder, migration.number): migration for migration in wanted}
    for key, (name, checksum) in sorted(applied.items()):
        migration = by_key.get(key)
        if migration is None:
            raise MigrationRefused(
                f"the database has migration {key[0]}/{name}, which this version does not know: "
                "it was made by a newer version; use that one"
            )
        if migration.checksum != checksum:
            raise MigrationRefused(
                f"migration {key[0]}/{migration.name} was changed after it had been applied "
                f"(SHA-256 {checksum[:12]}… then, {migration.checksum[:12]}… now): restore the file, add a new one"
            )
    return [migration for migration in wanted if (migration.folder, migration.number) not in applied]


def _apply(
    connection: psycopg.Connection[Any], migration: Migration, role: str, settings: Sequence[tuple[str, str]]
) -> None:
    try:
        with connection.transaction():
            _become(connection, role)
            for name, value in settings:
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            connection.execute("SET LOCAL lock_timeout = '10s'")
            connection.execute(migration.text.encode())
            connection.execute(
                "INSERT INTO schema_migration (folder, number, name, checksum) VALUES (%s, %s, %s, %s)",
                (migration.folder, migration.number, migration.name, migration.checksum),
            )
    except psycopg.DatabaseError as error:
        raise MigrationRefused(f"migration {migration.folder}/{migration.name} failed: {error}") from error


def _become(connection: psycopg.Connection[Any], role: str) -> None:
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
