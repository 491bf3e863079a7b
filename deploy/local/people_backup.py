"""The people database in a backup: the members' keys and, apart from them, the sealed fields, as they are now.

A dump of rows holds nothing of what was erased before it; a copy of the server's files or its WAL would. Each dump is
a folder of its own with a number; the highest that is whole counts, and older ones are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from psycopg.conninfo import make_conninfo

from deploy.local.errors import LocalStackError
from deploy.local.files import read_json_object, sync_folder, write_atomically
from deploy.local.folder import StateFolder
from deploy.local.postgres import run_tool

_TABLES = {"keys.dump": "member_key", "fields.dump": "person_field"}
"""In the order in which they are loaded: a field refers to its member's key."""


def write(dsn: str, folder: Path) -> None:
    """Dump the people database of the server at `dsn` into a new `people-N` of the backup; older ones go."""
    import psycopg

    database = make_conninfo(dsn, dbname="piperoll_people")
    older = _dumps(folder)
    work = Path(tempfile.mkdtemp(prefix=".people-", dir=folder))
    try:
        with psycopg.connect(database) as reader:
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            snapshot = reader.execute("SELECT pg_export_snapshot()").fetchone()
            wrapped_by = reader.execute("SELECT DISTINCT master_key_id FROM member_key WHERE wrapped IS NOT NULL")
            master_keys = sorted(str(row[0]) for row in wrapped_by)
            for name, table in _TABLES.items():
                run_tool(
                    "pg_dump", "--dbname", database, "--format=custom", "--data-only", f"--table=public.{table}",
                    f"--snapshot={snapshot[0] if snapshot else ''}", f"--file={work / name}",
                )  # fmt: skip
        sums = {name: _sha256(work / name) for name in _TABLES}
        write_atomically(work / "people.json", json.dumps({"sha256": sums, "master_keys": master_keys}) + "\n")
        os.rename(work, folder / f"people-{1 + max(older, default=0)}")
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    sync_folder(folder)
    for number in older:
        shutil.rmtree(folder / f"people-{number}")


def verify(folder: Path, state: StateFolder) -> Path:
    """Return the newest dump; LocalStackError where it is not whole, or sealed under a master key that is not here."""
    from shared.people.sealing import MasterKey

    numbers = _dumps(folder)
    if not numbers:
        raise LocalStackError(f"{folder} holds no people database")
    dump = folder / f"people-{max(numbers)}"
    told = read_json_object(dump / "people.json")
    if told.get("sha256") != {name: _sha256(dump / name) for name in _TABLES}:
        raise LocalStackError(f"{dump} is not as it was written: use another backup")
    here = MasterKey.read(state.master_key)
    missing = [key for key in told["master_keys"] if not here.knows(key)]
    if missing:
        raise LocalStackError(
            f"the members' keys in {dump} are wrapped by master key {missing[0]}, which {state.master_key} does not "
            "hold: put the key file there that the backed-up stack had, and restore again"
        )
    return dump


def load(dump: Path, dsn: str) -> None:
    """Load a dump into an empty people database that is provisioned."""
    database = make_conninfo(dsn, dbname="piperoll_people")
    for name in _TABLES:
        run_tool("pg_restore", "--dbname", database, "--data-only", "--single-transaction", str(dump / name))


def _dumps(folder: Path) -> list[int]:
    numbers = (path.name.removeprefix("people-") for path in folder.glob("people-*") if path.is_dir())
    return [int(number) for number in numbers if number.isdecimal()]


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
