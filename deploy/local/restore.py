"""`piperoll admin restore`: a stack's books as they were when the last WAL reached the archive.

The new data folder is made and brought to its end beside the old one, which is then moved aside, never deleted. The
people database is left as it is where there is one: it is newer, and what was erased there stays erased.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local import backup, people_backup, postgres, stack_clock
from deploy.local.backup import BOOKS, WAL
from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.home import Say, quiet
from deploy.local.keeper import Keeper
from deploy.local.layout import SERVICES
from deploy.local.leftovers import sweep_recorded
from deploy.local.stack import Stack
from shared.errors import PiperollError

RECOVERY_LIMIT_S = 3600.0
Shards = Mapping[str, tuple[int, ...]]
"""Shards by service."""


@dataclass(frozen=True)
class Restored:
    """What a restore did: where the old data lies now; whose tail was adopted, and who is still behind its topics."""

    moved_aside: Path | None
    people_loaded: bool
    adopted: Shards
    behind: Shards
    seconds: float


def restore(state: StateFolder, folder: Path, *, replace: bool = False, say: Say = quiet) -> Restored:
    """Bring the books of a stopped stack to the end of what the backup's archive holds.

    LocalStackError while the stack runs, where the backup is not whole, or where there is data and not `replace`.
    """
    began = time.monotonic()
    source = folder.expanduser().resolve()
    found = backup.read(source)
    say("verifying the backup ...")
    backup.verify_books(source)
    state.open()
    try:
        sweep_recorded(state.running)
        if state.postgres.exists() and not replace:
            raise LocalStackError(f"{state.postgres} holds data: --replace moves it aside and puts the backup there")
        state.keep_shards(state.shards(str(found.shards)))
        needs_people = not state.people.exists()
        dump = people_backup.verify(source, state) if needs_people else None
        moved_aside = _restore_books(state, source, say)
        if (ahead_s := found.clock_ahead_s - stack_clock.read_s(state)) > 0:
            stack_clock.advance(state, ahead_s)
    finally:
        state.close()
    if dump is not None:
        say("loading the people database ...")
        _load_people(state, dump)
    say("comparing the logs with their topics ...")
    adopted, behind = adopt_tails(state, say)
    return Restored(moved_aside, dump is not None, adopted, behind, time.monotonic() - began)


def adopt_tails(state: StateFolder, say: Say) -> tuple[Shards, Shards]:
    """Have each log that is behind its topics adopt what it lacks; return the shards that did and those that cannot."""
    from shared.kafka.topics import ensure_topics

    adopted: dict[str, tuple[int, ...]] = {}
    behind: dict[str, tuple[int, ...]] = {}
    with Stack(state.path, only=("postgres", "kafka")) as stack:
        asyncio.run(ensure_topics(stack.bootstrap, stack.shards))
        for service in sorted({one.service for one in SERVICES}):
            for shard in asyncio.run(_behind(stack, service)):
                done = _adopt(stack, service, shard, say)
                into = adopted if done else behind
                into[service] = (*into.get(service, ()), shard)
    return adopted, behind


def _adopt(stack: Stack, service: str, shard: int, say: Say) -> bool:
    from psycopg.conninfo import make_conninfo

    from deploy.local.admin_adopt import adopt
    from deploy.local.admin_parked import order_release_of_adopted

    where = make_conninfo(stack.admin_dsn, dbname=f"piperoll_{service}")
    try:
        found = asyncio.run(adopt(service, shard, stack.shards, where, stack.bootstrap))
        order_release_of_adopted(where, shard)
    except PiperollError as error:
        say(f"{service} shard {shard} was not adopted: {error}")
        return False
    say(f"{service} shard {shard}: adopted positions {found.before + 1} to {found.after} from its topics")
    return True


async def _behind(stack: Stack, service: str) -> tuple[int, ...]:
    """Return the shards whose topic holds what their log has lost."""
    from shared.eventlog.old_copy import old_copies
    from shared.eventlog.postgres import PostgresStore
    from shared.kafka.tails import KafkaTails

    store = PostgresStore(stack.dsn(service), f"{service}-restore")
    try:
        return tuple(sorted(await old_copies(service, range(stack.shards), store, KafkaTails(stack.bootstrap))))
    finally:
        await store.close()


def _restore_books(state: StateFolder, source: Path, say: Say) -> Path | None:
    work = Path(tempfile.mkdtemp(prefix=".restore-", dir=state.path))
    try:
        data = work / "postgres" / "data"
        data.parent.mkdir()
        say("copying the books ...")
        shutil.copytree(source / BOOKS, data, symlinks=True)
        data.chmod(0o700)
        copy_wal(source / WAL, data / "pg_wal")
        say("replaying what was archived since ...")
        asyncio.run(_recover(state, work, data))
        moved_aside = _move_aside(state)
        os.rename(work / "postgres", state.postgres)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return moved_aside


def copy_wal(archive: Path, into: Path) -> None:
    """Lay archived segments where recovery looks for them; the one that was being received counts as far as it goes."""
    for segment in sorted(archive.iterdir()):
        name = segment.name.removesuffix(".partial")
        if not (name != segment.name and (archive / name).exists()):
            shutil.copyfile(segment, into / name)


async def _recover(state: StateFolder, work: Path, data: Path) -> None:
    """Run the server over the copy until it has replayed all WAL and begun a timeline of its own; then stop it."""
    postgres.give_away(work)
    sockets = postgres.socket_folder(work / "socket")
    keeper = Keeper(postgres.recovering_program(data, sockets, state.logs / "recovery.log"), lambda: None)
    keeper.start()
    try:
        await keeper.wait_ready(asyncio.get_running_loop().time() + RECOVERY_LIMIT_S)
    finally:
        await keeper.stop()
        if not sockets.is_relative_to(work):
            shutil.rmtree(sockets, ignore_errors=True)


def _move_aside(state: StateFolder) -> Path | None:
    """Put the old data and the name of its archive out of the way; return where the data lies now."""
    mark = f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if state.archive.exists():
        os.rename(state.archive, state.archive.with_suffix(f".{mark}"))
    if not state.postgres.exists():
        return None
    aside = state.postgres.with_name(f"{state.postgres.name}.{mark}")
    os.rename(state.postgres, aside)
    return aside


def _load_people(state: StateFolder, dump: Path) -> None:
    from deploy.local.databases import prepare_people

    with Stack(state.path, only=("people",)) as stack:
        prepare_people(stack.people_admin_dsn)
        people_backup.load(dump, stack.people_admin_dsn)
