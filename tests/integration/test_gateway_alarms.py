"""Alarms of the gateway's worker on a real database: the clock is moved, what was answered is no trouble."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.gateway import alarms
from services.gateway.alarms import KINDS, RequestAlarm
from shared.clock import ManualClock
from shared.contracts.billing import BankStatementImported, Refusal
from shared.contracts.event import Event
from shared.contracts.ledger import ExplanationRefused
from shared.contracts.topics import BILLING_EVENTS_TOPIC
from shared.errors import StoreDown
from shared.eventlog.orders import ParkedOrders
from shared.eventlog.ports import Order, Stray
from shared.telemetry import metrics
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import account_body, invoice_body, payment_body
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.gateway_direct import JOURNAL, REVERSAL, entry_of, journal_proposed, not_allowed
from tests.integration.gateway_month import exception, issued, refused
from tests.integration.test_gateway_projections import opened, planned

USD = {"minor": 5, "currency": "USD"}
BANK = {"bank_account": "lockbox", "day": "2026-11-20", "currency": "USD", "opening_minor": 0, "closing_minor": 0,
        "lines": []}  # fmt: skip


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("ALTER TABLE request DISABLE TRIGGER USER")
        admin.execute("DELETE FROM request")
        admin.execute("ALTER TABLE request ENABLE TRIGGER USER")
    async with gateway_box(database) as running:
        yield running


class Watch:
    """The alarm under a clock that a test moves."""

    def __init__(self, database: Database) -> None:
        self.clock = ManualClock(datetime.now(UTC))
        self.alarm = RequestAlarm(database.dsn, self.clock)
        self.logged: list[str] = []

    def error(self, event: str, **about: Any) -> None:
        self.logged.append(about["request"])

    async def overdue(self, later_s: int = 0, shards: tuple[int, ...] = (0,)) -> dict[str, float]:
        """Return how many requests of each kind are overdue, some seconds later."""
        self.clock.advance(timedelta(seconds=later_s))
        await self.alarm.look(shards)
        counted = {kind: metrics.REQUESTS_OVERDUE.labels(kind)._value.get() for kind in KINDS}
        return {kind: count for kind, count in counted.items() if count}


@pytest.fixture
async def watch(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    made = Watch(database)
    monkeypatch.setattr(alarms, "log", made)
    yield made
    await made.alarm.close()


async def _one_of_each(box: Box) -> dict[str, str]:
    """Ask for one thing of each kind; return their ids."""
    account = (await box.post("/v1/accounts", account_body(), "a")).body["account_id"]
    other = (await box.post("/v1/accounts", account_body(2), "b")).body["account_id"]
    invoice = (await box.post("/v1/invoices", invoice_body(account), "i")).body["invoice_id"]
    payment = (await box.post("/v1/payments", payment_body(account, invoice), "p")).body["payment_id"]
    asked = {"account_id": account, "payment_id": payment, "amount": USD, "reason": "overpaid"}
    refund = (await box.post("/v1/refunds", asked, "r")).body["refund_id"]
    moved = {"account_id": account, "to_account_id": other}
    given = {**moved, "amount": USD, "reason": "same_family"}
    await box.tell("ledger", exception("x"))
    explained = await box.post("/v1/reconciliation/exceptions/exc_0_x/explanation", {"reason": "timing"}, "e")
    return {
        "account": account,
        "other": other,
        "invoice": invoice,
        "payment": payment,
        "refund": refund,
        "transfer": (await box.post("/v1/transfers", given, "t")).body["transfer_id"],
        "merge": (await box.post("/v1/merges", moved, "m")).body["merge_id"],
        "statement": (await box.post("/v1/bank-statements", BANK, "s")).body["statement_id"],
        "journal": (await box.post("/v1/journals", JOURNAL, "j")).body["journal_id"],
        "reversal": (await box.post(f"/v1/entries/{entry_of('x')}/reversal", REVERSAL, "v")).body["reversal_id"],
        "request": explained.body["request_id"],
    }


async def test_a_request_without_a_word_for_60_seconds_is_told_once_until_it_is_answered(
    box: Box, watch: Watch
) -> None:
    ids = await _one_of_each(box)
    assert await watch.overdue() == {}
    assert await watch.overdue(50) == {}
    assert await watch.overdue(11) == {**dict.fromkeys(KINDS, 1), "account": 2}
    assert sorted(watch.logged) == sorted(ids.values())
    assert await watch.overdue(60) == {**dict.fromkeys(KINDS, 1), "account": 2}
    assert len(watch.logged) == len(ids)
    account = ids["account"]
    answers: list[Event] = [
        opened(account), opened(ids["other"]), issued(ids["invoice"], account), planned(ids["payment"], account),
        refused(ids["refund"], Refusal.CREDIT_TOO_SMALL, account), refused(ids["transfer"], account=account),
        refused(ids["merge"], account=account),
        BankStatementImported(statement_id=ids["statement"], bank_account="lockbox", day="2026-11-20", currency="USD",
                              opening_minor=0, closing_minor=0, lines=()),
    ]  # fmt: skip
    for number, answer in enumerate(answers, 1):
        await box.tell("billing", answer)
        assert sum((await watch.overdue()).values()) == len(ids) - number
    await box.tell("ledger", ExplanationRefused(request_id=ids["request"], exception_id="exc_0_x",
                                                reason="exception_unknown"))  # fmt: skip
    assert await watch.overdue() == {"journal": 1, "reversal": 1}
    await box.tell("ledger", journal_proposed(ids["journal"]), not_allowed(ids["reversal"], "entry_unknown"))
    assert await watch.overdue() == {}


async def test_what_was_answered_in_time_is_never_told(box: Box, watch: Watch) -> None:
    account = (await box.post("/v1/accounts", account_body(), "quick")).body["account_id"]
    await box.tell("billing", opened(account))
    assert await watch.overdue(3_600) == {}
    late = (await box.post("/v1/accounts", account_body(), "late")).body["account_id"]
    assert await watch.overdue(3_600) == {"account": 1}
    assert watch.logged == [late]


async def test_more_than_one_look_takes_are_all_found(box: Box, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "AT_ONCE", 3)
    for number in range(10):
        await box.post("/v1/accounts", account_body(number), f"many-{number}")
    assert await watch.overdue(61) == {"account": 10}


async def test_a_worker_looks_only_at_its_shards(box: Box, watch: Watch) -> None:
    await box.post("/v1/accounts", account_body(), "shard")
    assert await watch.overdue(61, shards=()) == {}
    assert await watch.overdue(0, shards=(1,)) == {}
    assert await watch.overdue(0) == {"account": 1}


async def test_a_database_that_is_away_is_said(watch: Watch) -> None:
    away = RequestAlarm("host=127.0.0.1 port=1 dbname=x", watch.clock)
    with pytest.raises(StoreDown):
        await away.look([0])
    await away.close()


async def test_a_parked_record_is_found_with_its_age_until_it_is_let_go(box: Box, database: Database) -> None:
    orders = ParkedOrders(database.dsn)
    poison = Stray(topic=BILLING_EVENTS_TOPIC, partition=0, offset=9, key="acc_a", value=b"x", cause="headers_missing")
    await box.inbox.take([poison])
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("UPDATE parked SET parked_at = clock_timestamp() - interval '20 minutes'")
    (one,) = await orders.shelved(0)
    assert (one.place, one.key, one.cause) == ((BILLING_EVENTS_TOPIC, -1, 9), "acc_a", "headers_missing")
    assert timedelta(minutes=20) <= one.age < timedelta(minutes=21)
    assert await orders.shelved(1) == []
    await box.inbox.obey([Order(1, BILLING_EVENTS_TOPIC, -1, 9, "dropped")])
    assert await orders.shelved(0) == []
    await orders.close()
