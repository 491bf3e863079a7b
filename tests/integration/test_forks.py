"""Forks in the database of their service, and what a person does about them."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.forks import Forks, look_at_forks
from tests.conftest import Database, ServiceDatabase
from tests.unit.shared.test_cursors import CHAIN, at, chain

ROOT = Path(__file__).resolve().parents[2]
SHARD = 3


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger")


@pytest.fixture
async def forks(database: Database) -> AsyncIterator[Forks]:
    made = Forks(database.dsn)
    yield made
    await made.close()


class Admin:
    """`piperoll admin fork` beside the shard's owner."""

    def __init__(self, database: Database, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "services.cli", "admin", "fork", *arguments, "--dsn", database.admin_dsn]
        self.done: subprocess.CompletedProcess[str] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.done = subprocess.run(self._command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def said(self) -> str:
        self._thread.join()
        assert self.done is not None
        return self.done.stdout + self.done.stderr


async def test_a_person_sees_a_fork_and_has_the_chain_go_on(database: Database, forks: Forks) -> None:
    assert "no chain stands still" in Admin(database, "show", "ledger").said()
    records = chain(3)
    book = CursorBook.of([at(records[0])])
    forged = msgspec.structs.replace(records[1], previous_hash=b"x" * 32)
    assert book.take(forged, 0.0) is Verdict.FORK
    for _ in range(2):
        assert await look_at_forks({SHARD: book}, forks, 0.0) == []
    [fork] = await forks.open([SHARD])
    assert (fork.chain, fork.position, fork.previous, fork.skip) == (CHAIN, 2, 1, False)
    assert await forks.open([4]) == []
    place = f"{SHARD}/{CHAIN[0]}/{CHAIN[1]}"
    assert f"ledger {place}  position 2 behind 1 does not fit" in Admin(database, "show", "ledger").said()
    assert "has no fork" in Admin(database, "skip", "ledger", "7/none/1").said()
    skipping = Admin(database, "skip", "ledger", place)
    while skipping.running:
        await look_at_forks({SHARD: book}, forks, 0.0)
    assert "let go" in skipping.said()
    assert book.take(records[1], 0.0) is Verdict.APPLY
    assert await forks.open([SHARD]) == []
    assert "let go" in Admin(database, "show", "ledger", "--all").said()
