"""A projection rebuilt beside the live one and swapped in: readers see one or the other, and never go back."""

import gc
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.ledger.projections import PROJECTIONS
from services.ledger.projections.balances import Balances
from shared import faults
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor
from shared.contracts.ledger import EntryPosted, Posting
from shared.eventlog import swap
from shared.eventlog.own_log import OwnLog
from shared.eventlog.packing import pack
from shared.eventlog.projections import Placed, Projection, as_of_one_moment, live_positions
from shared.eventlog.rebuild import compare
from shared.eventlog.swap import CannotSwap, RebuildUnderWay, ShapeChanged, rebuild
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import held_shard
from tests.unit.ledger.story import allocated, bill, registered, settled

SHARDS = 2
AT = "2026-02-10T00:00:00.000000Z"
PAID = (bill(), registered(), settled(), allocated())


def fact(shard: int, position: int) -> bytes:
    """Return the bytes of an entry that differs from place to place."""
    account = f"acc_{shard}_{position % 3}"
    postings = tuple(
        Posting(code=code, sub_key="", side=side, amount_minor=position + shard)  # type: ignore[arg-type]
        for code, side in (("1125", "D"), ("2110", "C"))
    )
    entry = EntryPosted(
        account_id=account, entry_id=f"ent_{shard}_{position}", group_id="g", rule="PR-05", cause_type="t", cause="c",
        effective_date="2026-02-10", currency="USD", postings=postings,
    )  # fmt: skip
    return seal(
        Envelope(
            tenant="demo", event_id=f"{position:032x}", type=entry.TYPE, stream=account, version=position,
            recorded_at=AT, effective_date="2026-02-10", actor=Actor("system", "test"), correlation="c",
            causation=None, payload=encode_event(entry),
        )
    )  # fmt: skip


class Log:
    """A ledger's database without writers: facts are put into its log, and runners fold a piece when told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.origin = OwnLog(database.dsn, "ledger")
        self.ends = dict.fromkeys(range(SHARDS), 0)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            for table in ("event", *(f"event_{shard}" for shard in range(SHARDS))):
                admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER refuse_change".encode())
            admin.execute("TRUNCATE event, balance, entry, projection_cursor")
            admin.execute("UPDATE shard SET next_position = 1")

    def append(self, shard: int, count: int) -> None:
        start = self.ends[shard] + 1
        self.ends[shard] += count
        with psycopg.connect(self.database.admin_dsn) as admin, admin.cursor() as cursor:
            rows = [
                (shard, at, "s", at, f"{shard:08x}-0000-0000-0000-{at:012x}", EntryPosted.TYPE, pack(fact(shard, at)))
                for at in range(start, start + count)
            ]
            cursor.executemany(
                "INSERT INTO event (shard, position, stream, version, event_id, type, data)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                rows,
            )
            cursor.execute("UPDATE shard SET next_position = %s WHERE shard = %s", (self.ends[shard] + 1, shard))

    def fold(self, projection: Projection, shard: int, count: int) -> None:
        """Do what a runner does: lock the cursor, fold, move it. A version that is not in the tables stands still."""
        with psycopg.connect(self.database.dsn) as connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10s'")
            row = cursor.execute(
                "SELECT version, position FROM projection_cursor WHERE name = %s AND shard = %s FOR UPDATE",
                (projection.name, shard),
            ).fetchone()
            if row is None or row[0] != projection.version:
                return
            end = min(self.ends[shard], row[1] + count)
            projection.apply(
                cursor, [Placed("ledger", shard, at, open_fact(fact(shard, at))) for at in range(row[1] + 1, end + 1)]
            )
            cursor.execute(
                "UPDATE projection_cursor SET position = %s WHERE name = %s AND shard = %s",
                (end, projection.name, shard),
            )

    def begin(self, projection: Projection) -> None:
        with psycopg.connect(self.database.dsn) as connection, connection.cursor() as cursor:
            self.origin.stand(
                cursor, projection.name, projection.version, {("ledger", shard): 0 for shard in self.ends}
            )

    def positions(self) -> tuple[int, dict[int, int]]:
        with psycopg.connect(self.database.dsn) as connection, connection.cursor() as cursor:
            return live_positions(cursor, Balances.name, "ledger")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.admin_dsn) as connection:
            return connection.execute(query.encode()).fetchall()

    def scratches(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(rebuild|compare)_'")


class SecondBalances(Balances):
    """A changed fold: the next version."""

    version = 2

    def gather(self, gathered: dict[Any, list[int]], events: Iterable[tuple[int, Any]]) -> None:
        """Keep debits only."""
        super().gather(gathered, events)
        for found in gathered.values():
            found[1] = 0


class StubbornBalances(Balances):
    """Raises in the middle."""

    version = 3

    def set_aside(self, cursor: psycopg.Cursor[Any], gathered: Mapping[Any, list[int]]) -> None:
        """Fold, and fail."""
        super().set_aside(cursor, gathered)
        raise RuntimeError("in the middle")


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


@pytest.fixture
def log(database: Database) -> Log:
    made = Log(database)
    made.begin(Balances())
    for shard in range(SHARDS):
        made.append(shard, 30)
        made.fold(Balances(), shard, 20)
    return made


@contextmanager
def reading(log: Log) -> Iterator[psycopg.Cursor[Any]]:
    with psycopg.connect(log.database.dsn) as connection, connection.cursor() as cursor:
        yield cursor


def test_a_rebuild_folds_the_whole_log_and_is_ahead_of_what_was_live(log: Log) -> None:
    reached = rebuild(log.database.dsn, Balances(), log.origin)

    assert reached == {("ledger", 0): 30, ("ledger", 1): 30}
    assert log.positions() == (1, {0: 30, 1: 30})
    found = compare(log.database.dsn, Balances(), log.origin)
    assert found.live == found.folded
    assert log.scratches() == []
    assert log.rows("SELECT reltuples FROM pg_class WHERE oid = 'balance'::regclass") == [
        (12.0,)
    ]  # planned for at once


def test_the_new_tables_are_like_the_old_ones(log: Log) -> None:
    """Names of indexes, fill factor, owner and rights: later migrations and every role find what they know."""
    shape = (
        "SELECT c.relname, c.reloptions, pg_get_userbyid(c.relowner), c.relacl::text[]::text,"
        " (SELECT array_agg(indexrelid::regclass::text || pg_get_indexdef(indexrelid) ORDER BY 1) FROM pg_index"
        "  WHERE indrelid = c.oid),"
        " (SELECT array_agg(conname || pg_get_constraintdef(oid) ORDER BY 1) FROM pg_constraint"
        "  WHERE conrelid = c.oid),"
        " (SELECT array_agg(attname || attnotnull ORDER BY attnum) FROM pg_attribute"
        "  WHERE attrelid = c.oid AND attnum > 0)"
        " FROM pg_class c WHERE relnamespace = 'public'::regnamespace"
        " AND relname IN (SELECT unnest(%s::text[])) ORDER BY 1"
    )
    names = [table for projection in PROJECTIONS for table in projection.tables]
    with psycopg.connect(log.database.admin_dsn) as admin:
        before = admin.execute(shape.encode(), (names,)).fetchall()
    for projection in PROJECTIONS:
        rebuild(log.database.dsn, projection, log.origin)
    with psycopg.connect(log.database.admin_dsn) as admin:
        assert admin.execute(shape.encode(), (names,)).fetchall() == before


def test_another_version_is_swapped_in_and_the_older_one_folds_no_more(log: Log) -> None:
    log.fold(SecondBalances(), 0, 5)
    assert log.positions() == (1, {0: 20, 1: 20})
    rebuild(log.database.dsn, SecondBalances(), log.origin)
    log.append(0, 3)
    log.fold(Balances(), 0, 3)

    assert log.positions() == (2, {0: 30, 1: 30})
    assert log.rows("SELECT sum(credit_minor) FROM balance") == [(0,)]


def test_what_has_no_room_in_memory_is_set_aside_and_each_balance_is_written_once(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.eventlog.origin.FLUSH_AT", 2)
    monkeypatch.setattr("shared.eventlog.own_log.PIECE", 5)
    rebuild(log.database.dsn, Balances(), log.origin)

    assert log.rows("SELECT count(DISTINCT xmin::text), count(*) FROM balance") == [(1, 12)]
    monkeypatch.undo()
    found = compare(log.database.dsn, Balances(), log.origin)
    assert found.live == found.folded
    assert found.positions == {("ledger", 0): 30, ("ledger", 1): 30}


def test_two_processes_fold_what_one_folds(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "IN_PARALLEL_FROM", 1)
    rebuild(log.database.dsn, Balances(), log.origin, processes=2)

    assert gc.isenabled()
    found = compare(log.database.dsn, Balances(), log.origin)
    assert found.live == found.folded
    assert found.positions == {("ledger", 0): 30, ("ledger", 1): 30}


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_gathered_or_applied_in_any_cut_the_rows_are_the_same(
    service_database: ServiceDatabase, monkeypatch: pytest.MonkeyPatch, projection: Projection
) -> None:
    """What runs live and what rebuilds is one fold."""
    database = service_database("ledger", SHARDS)
    async with held_shard(database.dsn) as shard:
        await shard.tell(*PAID, *PAID)
        await shard.folded()
    origin = OwnLog(database.dsn, "ledger")
    for piece, flush_at in ((1, 1), (3, 2), (1_000, 200_000)):
        monkeypatch.setattr("shared.eventlog.own_log.PIECE", piece)
        monkeypatch.setattr("shared.eventlog.origin.FLUSH_AT", flush_at)
        found = compare(database.dsn, projection, origin)
        assert found.live == found.folded


def test_a_rebuild_that_ends_at_the_swap_leaves_the_live_one(log: Log) -> None:
    before = log.rows("SELECT * FROM balance ORDER BY 1, 2, 3, 4")
    faults.arm(faults.Point.PROJECTION_BEFORE_SWAP)
    try:
        with pytest.raises(faults.ArmedFault):
            rebuild(log.database.dsn, Balances(), log.origin)
    finally:
        faults.disarm_all()

    assert log.rows("SELECT * FROM balance ORDER BY 1, 2, 3, 4") == before
    assert log.positions() == (1, {0: 20, 1: 20})
    assert log.scratches() == []
    rebuild(log.database.dsn, Balances(), log.origin)
    assert log.positions() == (1, {0: 30, 1: 30})


def test_a_fold_that_raises_leaves_the_live_one(log: Log) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        rebuild(log.database.dsn, StubbornBalances(), log.origin)

    assert log.positions() == (1, {0: 20, 1: 20})
    assert log.scratches() == []


def test_a_rebuild_whose_server_process_died_is_in_nobodys_way(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Balances):
        def set_aside(self, cursor: psycopg.Cursor[Any], gathered: Mapping[Any, list[int]]) -> None:
            super().set_aside(cursor, gathered)
            with psycopg.connect(log.database.admin_dsn, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))

    with pytest.raises(psycopg.OperationalError):
        rebuild(log.database.dsn, Killed(), log.origin)
    assert log.scratches() == [("rebuild_ledger_balances",)]
    assert log.positions() == (1, {0: 20, 1: 20})
    rebuild(log.database.dsn, Balances(), log.origin)
    assert log.scratches() == []


def test_a_second_rebuild_of_one_projection_is_refused(log: Log) -> None:
    with psycopg.connect(log.database.dsn, autocommit=True) as first:
        first.execute(swap._SQL["alone"], (Balances.name,))
        with pytest.raises(RebuildUnderWay):
            rebuild(log.database.dsn, Balances(), log.origin)
    rebuild(log.database.dsn, Balances(), log.origin)


def test_a_reader_that_never_lets_go_is_not_waited_for_for_ever(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "TRIES", 2)
    with reading(log) as cursor:
        held = cursor.execute("SELECT count(*) FROM balance").fetchone()
        with pytest.raises(CannotSwap):
            rebuild(log.database.dsn, Balances(), log.origin)
        assert cursor.execute("SELECT count(*) FROM balance").fetchone() == held
    assert log.scratches() == []


def test_a_migration_meanwhile_is_not_undone(log: Log) -> None:
    class Migrated(Balances):
        def set_aside(self, cursor: psycopg.Cursor[Any], gathered: Mapping[Any, list[int]]) -> None:
            super().set_aside(cursor, gathered)
            with psycopg.connect(log.database.admin_dsn, autocommit=True) as admin:
                admin.execute("ALTER TABLE balance ADD COLUMN IF NOT EXISTS note text")

    try:
        with pytest.raises(ShapeChanged):
            rebuild(log.database.dsn, Migrated(), log.origin)
        rebuild(log.database.dsn, Balances(), log.origin)
        assert log.rows("SELECT count(*), count(note) FROM balance")[0][1] == 0
    finally:
        with psycopg.connect(log.database.admin_dsn, autocommit=True) as admin:
            admin.execute("ALTER TABLE balance DROP COLUMN note")


@pytest.mark.parametrize("table", ["event_0", "shard", "parked_order", "schema_migration"])
def test_what_a_service_may_not_change_is_never_swapped(log: Log, table: str) -> None:
    class Forged(Balances):
        tables: Sequence[str] = (table,)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rebuild(log.database.dsn, Forged(), log.origin)


@pytest.mark.parametrize("name", ["public", "rebuild_x; drop", "pg_catalog", "", "rebuild_" + "x" * 51])
def test_no_other_schema_is_dropped_as_a_scratch(log: Log, name: str) -> None:
    with reading(log) as cursor, pytest.raises(psycopg.errors.RaiseException):
        cursor.execute("SELECT drop_scratch(%s)", (name,))


def test_a_moment_spans_a_swap_from_before_or_from_after(log: Log) -> None:
    """A snapshot that was taken before the swap, and looks after it, would see a part of what came in."""
    swapped = threading.Thread(target=rebuild, args=(log.database.dsn, SecondBalances(), log.origin))
    with reading(log) as cursor:
        as_of_one_moment(cursor, Balances())
        version, _ = live_positions(cursor, Balances.name, "ledger")
        swapped.start()
        swapped.join(1.0)
        assert swapped.is_alive()
        credit = cursor.execute("SELECT sum(credit_minor) > 0 FROM balance").fetchone()
    swapped.join(20)

    assert (version, credit) == (1, (True,))
    with reading(log) as cursor:
        as_of_one_moment(cursor, Balances())
        assert live_positions(cursor, Balances.name, "ledger")[0] == 2
        assert cursor.execute("SELECT sum(credit_minor) > 0 FROM balance").fetchone() == (False,)


def test_a_view_is_bound_to_the_new_tables(service_database: ServiceDatabase) -> None:
    database = service_database("ledger", SHARDS)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET ROLE piperoll_ledger_migrator")
        admin.execute("CREATE VIEW owed AS SELECT account_id, sum(debit_minor) AS minor FROM balance GROUP BY 1")
        admin.execute("CREATE VIEW most WITH (security_barrier) AS SELECT max(minor) AS minor FROM owed")
    log = Log(database)
    log.begin(Balances())
    log.append(0, 3)
    rebuild(database.dsn, Balances(), log.origin)

    assert log.rows("SELECT minor FROM most") == [(3,)]
    assert log.rows("SELECT reloptions FROM pg_class WHERE relname = 'most'") == [(["security_barrier=true"],)]


class Reader(msgspec.Struct):
    """What a reader has seen: it never sees less."""

    version: int = 0
    positions: dict[int, int] = {}


class Swaps(RuleBasedStateMachine):
    """Appends, folds of two versions, rebuilds and their crashes in any order, with a reader that follows."""

    database: Database

    @initialize()
    def begin(self) -> None:
        self.log = Log(self.database)
        self.log.begin(Balances())
        self.reader = Reader(positions=dict.fromkeys(range(SHARDS), 0))
        self.versions: dict[int, Projection] = {1: Balances(), 2: SecondBalances()}

    @rule(shard=st.integers(0, SHARDS - 1), count=st.integers(1, 4))
    def append(self, shard: int, count: int) -> None:
        self.log.append(shard, count)

    @rule(shard=st.integers(0, SHARDS - 1), count=st.integers(1, 4), version=st.integers(1, 2))
    def fold(self, shard: int, count: int, version: int) -> None:
        self.log.fold(self.versions[version], shard, count)

    @rule(version=st.integers(1, 2), meanwhile=st.lists(st.tuples(st.integers(0, SHARDS - 1), st.integers(1, 3))))
    def rebuild(self, version: int, meanwhile: Sequence[tuple[int, int]]) -> None:
        """Others append and fold after each piece that the rebuild has folded."""
        rebuild(self.database.dsn, self.versions[version], _Disturbed(self.log, self.versions, list(meanwhile)))

    @precondition(lambda self: any(self.log.ends.values()))
    @rule(version=st.integers(1, 2))
    def crash(self, version: int) -> None:
        faults.arm(faults.Point.PROJECTION_BEFORE_SWAP)
        try:
            rebuild(self.database.dsn, self.versions[version], self.log.origin)
        except faults.ArmedFault:
            pass
        finally:
            faults.disarm_all()

    @invariant()
    def reads_never_go_back(self) -> None:
        version, positions = self.log.positions()
        assert all(positions[shard] >= seen for shard, seen in self.reader.positions.items())
        self.reader = Reader(version, positions)

    @invariant()
    def rows_are_the_fold_of_the_version_that_is_live(self) -> None:
        version, _ = self.log.positions()
        found = compare(self.database.dsn, self.versions[version], self.log.origin)
        assert found.live == found.folded
        assert self.log.scratches() == []


class _Disturbed(OwnLog):
    """A log that moves on, and whose live projection does, at each look at its ends."""

    def __init__(self, log: Log, versions: Mapping[int, Projection], meanwhile: list[tuple[int, int]]) -> None:
        super().__init__(log.database.dsn, "ledger")
        object.__setattr__(self, "_log", log)
        object.__setattr__(self, "_versions", versions)
        object.__setattr__(self, "_meanwhile", meanwhile)

    def ends(self, cursor: psycopg.Cursor[Any]) -> dict[tuple[str, int], int]:
        log: Log = object.__getattribute__(self, "_log")
        found = super().ends(cursor)
        for shard, count in object.__getattribute__(self, "_meanwhile"):
            log.append(shard, count)
            for version in object.__getattribute__(self, "_versions").values():
                log.fold(version, shard, count + 1)
        return found


def test_whatever_comes_between_the_rows_are_the_fold_and_reads_never_go_back(database: Database) -> None:
    """The property of the swap."""
    Swaps.database = database
    run_state_machine_as_test(
        Swaps,
        settings=settings(max_examples=15, stateful_step_count=8, suppress_health_check=list(HealthCheck)),
    )


def test_runners_and_readers_go_on_while_it_is_swapped_again_and_again(log: Log) -> None:
    """Real threads: each reader's position never falls, and no read finds an empty or a mixed table."""
    ended = threading.Event()
    wrong: list[str] = []

    def run(shard: int) -> None:
        while not ended.is_set():
            log.append(shard, 5)
            log.fold(Balances(), shard, 7)

    def read() -> None:
        seen = dict.fromkeys(range(SHARDS), 0)
        while not ended.is_set():
            with reading(log) as cursor:
                as_of_one_moment(cursor, Balances())
                _, positions = live_positions(cursor, Balances.name, "ledger")
                found = cursor.execute("SELECT sum(debit_minor), sum(credit_minor) FROM balance").fetchone()
            wanted = sum(at * (at + 1) // 2 + at * shard for shard, at in positions.items())
            if found != (wanted, wanted):
                wrong.append(f"{positions}: {found} is not {wanted}")
            wrong.extend(f"{shard} fell to {positions[shard]}" for shard, at in seen.items() if positions[shard] < at)
            seen = positions

    threads = [threading.Thread(target=run, args=(shard,)) for shard in range(SHARDS)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            rebuild(log.database.dsn, Balances(), log.origin)
    finally:
        ended.set()
        for thread in threads:
            thread.join(20)

    assert wrong == []
    found = compare(log.database.dsn, Balances(), log.origin)
    assert found.live == found.folded
