"""1010 against the bank's statements and 1126 against payouts: late by the clock alone, explained by a person."""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from services.ledger import app
from services.ledger.checks import late_payouts, unexplained_minor
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.reconciler import Reconciler
from shared.clock import StackClock
from shared.contracts.event import Actor
from shared.contracts.gateway import ExplanationRequested
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from shared.postgres.provision import provision
from tests.conftest import Database, ServiceDatabase
from tests.integration.ledger_shard import SHARDS, held_shard
from tests.integration.test_ledger_reconciliation import at_rest, days, exceptions, parts, told, until, watched
from tests.unit.ledger.facts import check, returned
from tests.unit.ledger.reports import DAY, bank_line, line, paid_out, report, statement
from tests.unit.ledger.story import registered, settled

NEXT = "2026-02-10"
MIGRATIONS = Path(app.__file__).parent / "migrations"
FINANCE = Actor("staff", "stf_7")


@pytest.fixture
def database(service_database: ServiceDatabase) -> Database:
    return service_database("ledger", SHARDS)


def explanation(exception_id: str, request_id: str = "req_0_1", **more: Any) -> ExplanationRequested:
    return ExplanationRequested(
        **{
            "request_id": request_id, "exception_id": exception_id, "account": "1010", "sub_key": "trust-1",
            "reason": "bank_error", "note_version": 1, "received_at": "2026-02-10T12:00:00.000000Z", **more,
        }
    )  # fmt: skip


async def test_a_payout_and_its_statement_agree_over_two_shards(database: Database) -> None:
    """The processor's stream is on one shard, the bank account's and a household with cheques on the other."""
    cheque = msgspec.structs.replace(check(900), received_on=NEXT)
    back = msgspec.structs.replace(returned(900), returned_on=NEXT)
    page = statement(
        bank_line("L-1", "payout", 700, "po_1"),
        bank_line("L-2", "lockbox", 900, "LBX-7"),
        bank_line("L-3", "fee", -25, "monthly"),
        bank_line("L-9", "check_returned", -900, "LBX-7"),
        day=NEXT,
    )
    async with held_shard(database.dsn, 0, parts) as first, held_shard(database.dsn, 1, parts) as second:
        await first.tell(registered(payment_id="a"), settled(payment_id="a"), *report(line("pi_a"), paid_out(700)))
        await second.tell(cheque, back, page)
        await first.tell(*report(day=NEXT, opening_minor=17465))
        await until(lambda: days(database.dsn, "1126")[-1:] == [(NEXT, 0, None, 0, 0)])
        await until(lambda: len(days(database.dsn, "1010")) == 1)
        # A day is reported before the review that resolves what was open until now.
        await until(lambda: unexplained_minor(database.dsn) == {"1010": 0, "1125": 0, "1126": 0})
        await first.folded()
        await second.folded()

    assert days(database.dsn, "1125")[-1] == (NEXT, 17465, 17465, 0, 0)
    assert (DAY, 700, None, 0, 0) in days(database.dsn, "1126")
    assert days(database.dsn, "1010") == [(NEXT, 675, 675, 0, 0)]
    for projection in PROJECTIONS:
        rebuilt = rebuild_digest(database.dsn, projection, facts_of(database.dsn, "ledger"))
        assert rebuilt == live_digest(database.dsn, projection)


async def test_a_payout_becomes_late_by_the_clock_alone_and_resolves_when_it_arrives(
    database: Database, tmp_path: Path
) -> None:
    clock = StackClock(tmp_path / "offset")
    today = clock.now().astimezone(ZoneInfo("America/New_York")).date()
    watching, looks = watched()
    async with held_shard(database.dsn, 0, watching, clock) as shard:
        await shard.tell(*report(paid_out(700), day=today.isoformat()))
        await until(lambda: len(days(database.dsn, "1126")) == 1)
        looks.clear()
        await until(lambda: at_rest(looks))
        (tmp_path / "offset").write_text(str(int(timedelta(days=10).total_seconds())))
        await until(lambda: late_payouts(database.dsn) == 1)
        arrived = (today + timedelta(days=10)).isoformat()
        await shard.tell(statement(bank_line("L-1", "payout", 700, "po_1"), day=arrived))
        await until(lambda: late_payouts(database.dsn) == 0)

    assert exceptions(database.dsn) == [
        ("1126", "po_1", "late", 700, "open"),
        ("1126", "po_1", "late", 700, "resolved"),
    ]


async def test_a_payout_of_which_the_bank_shows_less_has_a_name(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(*report(paid_out(700)), statement(bank_line("L-1", "payout", 650, "po_1")))
        await until(lambda: len(exceptions(database.dsn)) == 1)

    assert exceptions(database.dsn) == [("1126", "po_1", "wrong_amount", 50, "open")]


async def test_a_line_that_nobody_knows_is_open_until_it_is_explained(database: Database) -> None:
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(statement(bank_line("L-1", "other", 42, "?")))
        await until(lambda: unexplained_minor(database.dsn)["1010"] == 42)
        (opened,) = told(database.dsn, "ledger.exception-changed.v1")
        await shard.tell(explanation(opened["id"]), actor=FINANCE)
        await until(lambda: len(days(database.dsn, "1010")) == 2)
        await shard.tell(explanation(opened["id"] + "x", "req_0_2"), actor=FINANCE)
        await shard.folded()

    assert exceptions(database.dsn) == [
        ("1010", "L-1", "missing", -42, "open"),
        ("1010", "L-1", "missing", -42, "explained"),
    ]
    explained = told(database.dsn, "ledger.exception-changed.v1")[1]
    assert (explained["explained_by"], explained["reason"], explained["note_version"]) == ("stf_7", "bank_error", 1)
    reports = told(database.dsn, "ledger.reconciliation-reported.v1")
    assert [(one["difference_minor"], one["unexplained_minor"]) for one in reports] == [(-42, 42), (-42, 0)]
    assert unexplained_minor(database.dsn)["1010"] == 0
    (refused,) = told(database.dsn, "ledger.explanation-refused.v1")
    assert (refused["request_id"], refused["reason"]) == ("req_0_2", "exception_unknown")


async def test_what_an_account_held_before_its_first_statement_is_a_difference_with_a_name(database: Database) -> None:
    first = statement(bank_line("L-1", "fee", -25), opening_minor=1000)
    second = statement(bank_line("L-2", "fee", -5), day=NEXT, opening_minor=975)
    async with held_shard(database.dsn, 0, parts) as shard:
        await shard.tell(first, second)
        await until(lambda: len(days(database.dsn, "1010")) == 2)
        await until(lambda: len(exceptions(database.dsn)) == 1)

    assert exceptions(database.dsn) == [("1010", "opening", "missing", -1000, "open")]
    assert days(database.dsn, "1010") == [(DAY, -25, 975, -1000, 1), (NEXT, -30, 970, -1000, 1)]


async def test_exceptions_are_reviewed_only_once_households_had_time_to_post(database: Database) -> None:
    """A returned cheque is booked because of the very statement that shows it."""

    def patient(context: ShardContext) -> Sequence[ShardPart]:
        return (ProjectionRunner(context, PROJECTIONS), Reconciler(context))

    back = msgspec.structs.replace(returned(900), returned_on=DAY)
    async with held_shard(database.dsn, 0, patient) as shard:
        await shard.tell(statement(bank_line("L-9", "check_returned", -900, "LBX-7"), bank_line("L-1", "other", 5)))
        await until(lambda: len(days(database.dsn, "1010")) == 1)
        await shard.tell(back)
        await until(lambda: len(exceptions(database.dsn)) == 1)

    assert exceptions(database.dsn) == [("1010", "L-1", "missing", -5, "open")]


async def test_an_older_databases_rows_give_way_to_a_fold_of_the_whole_log(
    service_database: ServiceDatabase, tmp_path: Path
) -> None:
    older = tmp_path / "migrations"
    older.mkdir()
    shutil.copy(MIGRATIONS / "0001_projections.sql", older)
    database = service_database("ledger", SHARDS, migrations=older)
    async with held_shard(database.dsn, make_parts=lambda context: ()) as shard:
        await shard.tell(*report(line("pi_a")))
    with psycopg.connect(database.dsn) as connection:
        connection.execute(
            "INSERT INTO reconciliation_line VALUES (0, 1, 0, 'processor', 'card', 'USD', 'pi_a', 'txn_a', 'charge',"
            " '2026-02-09', 18165)"
        )
        connection.execute("INSERT INTO projection_cursor VALUES ('ledger.reconciliation', 1, 'ledger', 0, 2)")
    provision(database.admin_dsn, "ledger", SHARDS, database=database.name)
    async with held_shard(database.dsn, make_parts=parts) as shard:
        await until(lambda: len(days(database.dsn)) == 1)

    assert days(database.dsn) == [(DAY, 0, 18165, -18165, 1)]
