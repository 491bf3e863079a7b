"""Stories followed on a real database: callers leave and come back while facts are folded, and miss or repeat none."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import psycopg
import pytest

from services.gateway.domain.following import BEGINNING, marks_text
from services.gateway.http.database import SQL
from shared.contracts.event import Event
from shared.contracts.notifier import NoticeSent
from shared.contracts.topics import BILLING_EVENTS_TOPIC
from shared.eventlog.ports import Order, Stray
from tests.conftest import Database, ServiceDatabase
from tests.event_reader import reading
from tests.gateway_kit import account_body, bearer
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.gateway_month import paid
from tests.integration.test_gateway_projections import entry, opened
from tests.plans import plan_of


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    async with gateway_box(database) as running:
        yield running


async def _account(box: Box, key: str) -> str:
    return str((await box.post("/v1/accounts", account_body(), key)).body["account_id"])


def _fact(source: str, account: str, number: int) -> Event:
    match source:
        case "billing":
            return paid(f"pay_0_{number}", account=account)
        case "ledger":
            return msgspec.structs.replace(
                entry("PR-05", f"pay_0_{number}", "1125", "2110", number), account_id=account
            )
        case _:
            return NoticeSent(
                account_id=account, notice_id=f"ntc_{number}", message_id="m", sent_at="2026-11-24T00:00:00Z"
            )


async def _fold_all(box: Box, accounts: list[str], chance: random.Random, steps: int) -> None:
    """Fold facts of all sources in small batches; one account waits behind a parked record for a while."""
    poison = Stray(
        topic=BILLING_EVENTS_TOPIC, partition=0, offset=999, key=accounts[0], value=b"x", cause="headers_missing"
    )  # fmt: skip
    for step in range(steps):
        if step == steps // 3:
            await box.inbox.take([poison])
        if step == 2 * steps // 3:
            await box.inbox.obey([Order(1, BILLING_EVENTS_TOPIC, -1, 999, "dropped")])
        source = chance.choice(("billing", "ledger", "notifier"))
        facts = [_fact(source, chance.choice(accounts), step * 10 + n) for n in range(chance.randint(1, 4))]
        await box.tell(source, *facts)
        await asyncio.sleep(chance.choice((0, 0, 0.01)))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_callers_that_leave_and_come_back_miss_and_repeat_nothing(
    box: Box, database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    accounts = [await _account(box, f"follow-{seed}-{n}") for n in range(3)]
    token = bearer("member", *accounts[:2])
    last_id = marks_text(dict.fromkeys(accounts[:2], BEGINNING))
    folding = asyncio.create_task(_fold_all(box, accounts, chance, 60))
    got: list[dict[str, Any]] = []
    breaks = 0
    while breaks < 1_000:
        done = folding.done()
        async with reading(box.gateway.client.api, token, last_id=last_id) as reader:
            try:
                await reader.until(chance.randint(1, 6), within_s=0.3)
            except TimeoutError:
                if done:
                    break
            if chance.random() < 0.3:
                await asyncio.sleep(0.005)
        taken = reader.told[: chance.randint(0, len(reader.told))]  # what came later is lost on its way
        got += [one.data for one in taken]
        last_id = taken[-1].id if taken else last_id
        breaks += 1
    got += [one.data for one in reader.told]
    await folding
    with psycopg.connect(database.admin_dsn) as admin:
        rows = admin.execute(
            "SELECT source || '.' || shard || '.' || position FROM history_view WHERE account_id = ANY (%s)",
            (accounts[:2],),
        ).fetchall()
    positions = [item["position"] for item in got]
    assert sorted(positions) == sorted(row[0] for row in rows)
    assert breaks > 10
    for account in accounts[:2]:
        for source in ("billing", "ledger", "notifier"):
            told = [_number(item) for item in got if item["account_id"] == account and _source(item) == source]
            assert told == sorted(told)


def _number(item: dict[str, Any]) -> int:
    return int(item["position"].rpartition(".")[2])


def _source(item: dict[str, Any]) -> str:
    return str(item["position"].partition(".")[0])


async def test_a_fact_is_told_soon_after_it_is_folded_and_as_history_shows_it(box: Box) -> None:
    account = await _account(box, "soon")
    await box.tell("billing", opened(account))
    async with reading(box.gateway.client.api, bearer("member", account)) as reader:
        await box.tell("billing", paid("pay_0_soon", account=account))
        (told,) = await reader.until(1, within_s=1.0)
    (newest, *_) = (await box.get(f"/v1/accounts/{account}/history")).body["items"]
    assert told.data == newest
    assert told.event == "billing.payment-settled.v1"


async def test_what_is_folded_before_the_stream_begins_is_history(box: Box) -> None:
    account = await _account(box, "before")
    await box.tell("billing", opened(account), paid("pay_0_before", account=account))
    async with reading(box.gateway.client.api, bearer("support"), f"account_id={account}") as reader:
        await box.tell("ledger", _fact("ledger", account, 1))
        (told,) = await reader.until(1)
    assert told.data["type"] == "ledger.entry-posted.v1"


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("story_ends", {"accounts": ["acc_7"], "sources": ["billing", "ledger"]}),
        ("story_after", {"followers": [0, 0], "accounts": ["acc_7", "acc_9"], "sources": ["billing", "ledger"],
                         "after": [5, 0], "limit": 50}),
    ],
)  # fmt: skip
def test_stories_are_followed_by_their_index(database: Database, statement: str, parameters: dict[str, Any]) -> None:
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO history_view (source, shard, position, account_id, type, recorded_at, effective_date)"
            " SELECT CASE n % 3 WHEN 0 THEN 'billing' WHEN 1 THEN 'ledger' ELSE 'notifier' END, 0, n + 100000,"
            " 'acc_' || n % 20, 't', now() + n * interval '1 s', now() FROM generate_series(1, 30000) n"
        )
        admin.execute("ANALYZE history_view")
        plan = plan_of(admin, SQL[statement], parameters)
        admin.rollback()
    assert (plan.indexes, plan.read_whole, plan.sorts) == ({"history_view_by_place"}, set(), False)
