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
from deploy.local.layout import SERVICES, SHARDS
from deploy.local.leftovers import sweep_recorded
from deploy.local.stack import Stack

RECOVERY_LIMIT_S = 3600.0


@dataclass(frozen=True)
class Restored:
    """What a restore did: where the old data lies now, and which shards a topic is ahead of, by service."""

    moved_aside: Path | None
    people_loaded: bool
    behind: Mapping[str, tuple[int, ...]]
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
    return Restored(moved_aside, dump is not None, behind_topics(state), time.monotonic() - began)


def behind_topics(state: StateFolder) -> dict[str, tuple[int, ...]]:
    """Return the shards, by service, whose topic holds what their log has lost."""
    from shared.kafka.topics import ensure_topics

    with Stack(state.path, only=("postgres", "kafka")) as stack:
        asyncio.run(ensure_topics(stack.bootstrap, SHARDS))
        found = {service: asyncio.run(_behind(stack, service)) for service in sorted({one.service for one in SERVICES})}
    return {service: shards for service, shards in found.items() if shards}


async def _behind(stack: Stack, service: str) -> tuple[int, ...]:
    from shared.eventlog.old_copy import old_copies
    from shared.eventlog.postgres import PostgresStore
    from shared.kafka.tails import KafkaTails

    store = PostgresStore(stack.dsn(service), f"{service}-restore")
    try:
        return tuple(sorted(await old_copies(service, range(SHARDS), store, KafkaTails(stack.bootstrap))))
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
