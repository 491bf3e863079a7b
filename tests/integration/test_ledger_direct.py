"""Direct commands over PostgreSQL: batches, projections and reconciliation of journals, closing, lapsing, crashes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from services.ledger import app
from services.ledger.checks import trial_balance, unexplained_minor
from services.ledger.domain.journal import PREFIX
from services.ledger.journals.keeper import JournalKeeper
from services.ledger.journals.reading import SQL, journals
from services.ledger.projections import PROJECTIONS
from shared.clock import StackClock
from shared.contracts.direct import (
    AccountChangeProposed,
    DirectCommandRefused,
    JournalProposed,
    ProposalDecisionRequested,
)
from shared.contracts.event import Actor
from shared.eventlog.command import Answer
from shared.eventlog.desk import SNAPSHOT_EVERY
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, LedgerShard, held_shard, projections_only
from tests.integration.test_ledger_alarms import until_gauge
from tests.integration.test_ledger_reconciliation import days, exceptions, parts, told, until
from tests.older import older_version
from tests.plans import plan_of
from tests.unit.ledger.journal_records import many_in_a_batch, said
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CASH,
    FEES,
    STREAM,
    change_request,
    journal_request,
    leg,
    legs,
)
from tests.unit.ledger.reports import DAY, bank_line, line, paid_out, report, statement
from tests.unit.ledger.story import registered, settled

CARD, PAYOUT = "1125/card", "1126/po_1"


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def keeping(context: ShardContext) -> Sequence[ShardPart]:
    return (ProjectionRunner(context, PROJECTIONS), JournalKeeper(context, tick_s=0.05))


async def approve(shard: LedgerShard, proposal_id: str, by: Sequence[str] = (ANNA, BEN)) -> Answer:
    """Approve what was proposed, and return the last answer."""
    events = await said(shard.context.store)
    (digest,) = [
        one.digest
        for one in events
        if isinstance(one, JournalProposed | AccountChangeProposed) and one.proposal_id == proposal_id
    ]
    for person in by:
        request = ProposalDecisionRequested(
            account_id=STREAM, request_id=f"req_{person}_{proposal_id}", proposal_id=proposal_id, digest=digest,
            decision="approve", received_at="2026-03-10T15:00:00.000000Z",
        )  # fmt: skip
        answer = await shard.tell(request, actor=Actor("staff", person))
    return answer


async def changed(shard: LedgerShard, change: str, *places: str) -> None:
    """Carry out a change of each account."""
    for place in places:
        name = f"chg_{change}_{place}"
        await shard.tell(change_request(change, place, name))
        await approve(shard, name)


async def posted(
    shard: LedgerShard, *asked: Any, name: str = "jnl_1", on: str = DAY, reference: str | None = None
) -> None:
    """Carry out a journal."""
    await shard.tell(journal_request(*asked, name=name, on=on, reference=reference))
    answer = await approve(shard, name)
    assert [row.type for row in answer.rows] == ["ledger.proposal-approved.v1", "ledger.entry-posted.v1"]


def statuses(dsn: str) -> list[tuple[str, str]]:
    """Return (account, status) of each change, in order."""
    changes = told(dsn, "ledger.account-changed.v1")
    return [(f"{one['code']}/{one['sub_key']}", one["status"]) for one in changes]


async def test_in_a_batch_a_refused_or_raising_command_harms_nobody(database: Database) -> None:
    store = PostgresStore(database.dsn, "ledger")
    await many_in_a_batch(store)
    await store.close()


async def test_journals_are_in_balances_and_history_like_any_entry(database: Database) -> None:
    async with held_shard(database.dsn) as shard:
        await changed(shard, "open", CASH, FEES)
        await posted(shard, *legs(500))
        await shard.folded()

    assert trial_balance(database.dsn) == [("1010", 0, 500), ("5020", 500, 0)]
    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)


async def test_days_still_add_up_where_a_journal_moved_the_processor_s_accounts(database: Database) -> None:
    """A journal on 1125 is an item that only the books have; on 1126 it meets the payout that it names."""
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(registered(payment_id="a"), settled(payment_id="a"))
        await shard.tell(*report(line("pi_a"), paid_out(15000)))
        await changed(shard, "open", CARD, PAYOUT, FEES)
        await posted(shard, leg("D", CARD, 40), leg("D", PAYOUT, 60), leg("C", FEES, 100))
        await until(lambda: (DAY, 3205, 3165, 40, 1) in days(database.dsn))
        await until(lambda: (DAY, 15060, None, 0, 0) in days(database.dsn, "1126"))
        await until(lambda: ("1125", "jnl_1", "unknown", 40, "open") in exceptions(database.dsn))


async def test_a_line_that_a_journal_books_by_its_name_is_no_exception_any_more(database: Database) -> None:
    """A line of the bank that nobody books, and one of the processor that the books do not have."""
    async with held_shard(database.dsn, 0, parts) as shard:
        await changed(shard, "open", "1010/trust-1", CARD, FEES)
        await shard.tell(statement(bank_line("L-9", "other", 700, "transfer in")))
        await shard.tell(*report(line("pi_strange", 40)))
        await until(lambda: unexplained_minor(database.dsn) == {"1010": 700, "1125": 40, "1126": 0})
        await posted(shard, leg("D", "1010/trust-1", 700), leg("C", FEES, 700), reference="L-9")
        await posted(shard, leg("D", CARD, 40), leg("C", FEES, 40), name="jnl_2", reference="pi_strange")
        await until(lambda: unexplained_minor(database.dsn) == {"1010": 0, "1125": 0, "1126": 0})

    assert days(database.dsn, "1010")[-1] == (DAY, 700, 700, 0, 0)
    assert days(database.dsn)[-1] == (DAY, 40, 40, 0, 0)
    found = exceptions(database.dsn)
    assert [one[1] for one in found] == ["L-9", "L-9", "pi_strange", "pi_strange"], "no exception of the journals' own"
    assert [one[4] for one in found] == ["open", "resolved", "open", "resolved"]


async def test_an_account_with_nothing_in_it_over_all_shards_is_closed(database: Database) -> None:
    async with held_shard(database.dsn, 0, keeping) as shard, held_shard(database.dsn, 1) as other:
        await changed(shard, "open", CARD)
        await other.tell(registered(payment_id="a"))
        await changed(shard, "close", CARD)
        await until(lambda: (CARD, "closed") in statuses(database.dsn))

    assert statuses(database.dsn) == [(CARD, "open"), (CARD, "frozen"), (CARD, "closed")]
    (closed,) = [one for one in told(database.dsn, "ledger.account-changed.v1") if one["status"] == "closed"]
    assert closed["positions"]["0"] >= 7, "what all shards held after the freeze"
    assert closed["positions"]["1"] == 1


async def test_what_another_shard_holds_keeps_an_account_open_however_late_it_is_folded(database: Database) -> None:
    async with held_shard(database.dsn, 1, lambda context: ()) as other:
        await other.tell(registered(payment_id="a"), settled(payment_id="a"))
    async with held_shard(database.dsn, 0, keeping) as shard:
        await changed(shard, "open", CARD, FEES)
        await changed(shard, "close", CARD)
        await until_gauge("piperoll_accounts_closing", 1, shard="0")
        async with held_shard(database.dsn, 1):
            await until(lambda: len(told(database.dsn, "ledger.proposal-ended.v1")) == 1)
        await posted(shard, leg("D", FEES, 5), leg("C", CARD, 5))

    assert [status for place, status in statuses(database.dsn) if place == CARD] == ["open", "frozen", "open"]
    (ended,) = told(database.dsn, "ledger.proposal-ended.v1")
    assert (ended["outcome"], ended["reason"]) == ("refused", "balance_not_zero")


async def test_a_crash_between_freeze_and_close_leaves_the_close_to_the_next_owner(database: Database) -> None:
    async with held_shard(database.dsn, 0, projections_only) as shard:
        await changed(shard, "open", CARD, FEES)
        await changed(shard, "close", CARD)
    assert statuses(database.dsn)[-1] == (CARD, "frozen")

    async with held_shard(database.dsn, 0, app.parts), held_shard(database.dsn, 1):
        await until(lambda: (CARD, "closed") in statuses(database.dsn))


async def test_a_close_that_was_decided_is_not_decided_again(database: Database) -> None:
    """A keeper that did not learn of its own command's commit finds the account closed."""
    keepers: list[JournalKeeper] = []

    def forgetful(context: ShardContext) -> Sequence[ShardPart]:
        keepers.append(JournalKeeper(context, tick_s=0.05))
        return (ProjectionRunner(context, PROJECTIONS), keepers[0])

    async with held_shard(database.dsn, 0, forgetful) as shard, held_shard(database.dsn, 1):
        await changed(shard, "open", CARD)
        keeper = keepers[0]
        await changed(shard, "close", CARD)
        closing = dict(keeper.open.closing)
        await until(lambda: (CARD, "closed") in statuses(database.dsn))
        keeper.open.closing.update(closing)
        before = shard.context.writer.position
        with suppress(TimeoutError):
            await until(lambda: shard.context.writer.position != before, timeout_s=0.5)

    assert [one for one in statuses(database.dsn) if one[1] == "closed"] == [(CARD, "closed")]


async def test_a_proposal_lapses_by_the_stack_s_clock_also_after_a_takeover(database: Database, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    clock = StackClock(offset)
    async with held_shard(database.dsn, 0, keeping, clock) as shard:
        await shard.tell(change_request("open", CASH, "chg_old"))
    async with held_shard(database.dsn, 0, keeping, clock) as shard:
        await shard.tell(change_request("open", FEES, "chg_new"))
        assert told(database.dsn, "ledger.proposal-ended.v1") == []
        await until_gauge("piperoll_proposals_waiting", 2, shard="0")
        offset.write_text(str(8 * 24 * 60 * 60))
        await until(lambda: len(told(database.dsn, "ledger.proposal-ended.v1")) == 2)

    ended = {
        one["proposal_id"]: (one["outcome"], one["request_id"])
        for one in told(database.dsn, "ledger.proposal-ended.v1")
    }
    assert ended == {"chg_old": ("lapsed", None), "chg_new": ("lapsed", None)}


async def test_a_journal_that_a_newer_version_wrote_in_is_left_to_it(database: Database, tmp_path: Path) -> None:
    async with held_shard(database.dsn, 0, projections_only) as shard:
        await shard.tell(change_request("open", CASH, "chg_ours"))
        other = msgspec.structs.replace(change_request("open", CASH, "chg_theirs"), account_id="jrn_other")
        await shard.tell(other, msgspec.structs.replace(other, change_id="chg_again"))
    offset = tmp_path / "offset"
    offset.write_text(str(8 * 24 * 60 * 60))
    with older_version(DirectCommandRefused):
        async with held_shard(database.dsn, 0, keeping_only, StackClock(offset)):
            await until(lambda: len(told(database.dsn, "ledger.proposal-ended.v1")) == 1)
    (ended,) = told(database.dsn, "ledger.proposal-ended.v1")
    assert ended["proposal_id"] == "chg_ours"


def keeping_only(context: ShardContext) -> Sequence[ShardPart]:
    return (JournalKeeper(context, tick_s=0.05),)


async def test_a_keeper_that_begins_at_a_snapshot_lapses_all_that_waits(database: Database, tmp_path: Path) -> None:
    async with held_shard(database.dsn, 0, projections_only) as shard:
        await changed(shard, "open", CASH, FEES)
        asked = [journal_request(*legs(), name=f"jnl_{number}", on=DAY) for number in range(SNAPSHOT_EVERY)]
        await asyncio.gather(*(shard.tell(one) for one in asked))
    with psycopg.connect(database.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM snapshot WHERE stream = %s", (STREAM,)).fetchone() == (1,)

    offset = tmp_path / "offset"
    offset.write_text(str(8 * 24 * 60 * 60))
    async with held_shard(database.dsn, 0, keeping, StackClock(offset)):
        await until(lambda: len(told(database.dsn, "ledger.proposal-ended.v1")) == SNAPSHOT_EVERY)


def test_journals_are_found_by_the_streams_index_among_many_events(database: Database) -> None:
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO event_0 (shard, position, stream, version, event_id, type, data)"
            " SELECT 0, n, CASE n % 5000 WHEN 0 THEN 'jrn_' ELSE 'acc_' END || n, 1, gen_random_uuid(), 't', ''"
            " FROM generate_series(1, 50000) AS n"
        )
        admin.execute("ANALYZE event_0")
        plan = plan_of(admin, SQL["journals"], (0, PREFIX))

    assert (plan.indexes, plan.read_whole) == ({"event_0_stream_version_key"}, set())
    assert plan.rows < 1_000
    assert journals(database.dsn, 0) == sorted(f"jrn_{number}" for number in range(5000, 50001, 5000))
