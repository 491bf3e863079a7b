"""POSTs against a real database: one key is one request, however often, however simultaneous, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from services.gateway.http.database import Reads
from services.gateway.statements import STATEMENTS
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.verify import verify_log
from shared.faults import Point, arm, disarm_all
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import (
    Gateway,
    account_body,
    bearer,
    gateway,
    invoice_body,
    payment_body,
    settings,
)


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway")


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Gateway]:
    store = PostgresStore(database.dsn, "gateway", statements=STATEMENTS, connections=2)
    async with gateway(store, Reads(database.dsn), settings(postgres_dsn=database.dsn)) as one:
        yield one
    disarm_all()
    await store.close()


async def _household(running: Gateway, key: str) -> tuple[str, str]:
    account = await running.client.post("/v1/accounts", bearer(), account_body(), key)
    assert account.status == 202, account.body
    account_id = account.body["account_id"]
    invoice = await running.client.post("/v1/invoices", bearer(), invoice_body(account_id), key)
    assert invoice.status == 202, invoice.body
    return account_id, invoice.body["invoice_id"]


async def test_a_request_is_committed_as_an_event_and_a_row(running: Gateway, database: Database) -> None:
    account_id, invoice_id = await _household(running, "first")
    reply = await running.client.post("/v1/payments", bearer(), payment_body(account_id, invoice_id), "first")
    assert reply.status == 202
    payment = reply.body
    assert payment["status"] == "accepted"
    assert payment["position"].startswith("gateway.")
    assert reply.header("location") == f"/v1/payments/{payment['payment_id']}"
    with psycopg.connect(database.dsn) as connection:
        row = connection.execute(
            "SELECT r.reference, e.type, e.version, e.event_id FROM request r"
            " JOIN event e ON e.shard = r.shard AND e.position = r.position AND e.stream = r.id WHERE r.id = %s",
            (payment["payment_id"],),
        ).fetchone()
    assert row is not None
    assert (row[0], row[1], row[2]) == (payment["reference"], "gateway.payment-requested.v1", 1)
    read = await running.client.get(f"/v1/payments/{payment['payment_id']}", bearer())
    assert read.body == payment


async def test_a_hundred_simultaneous_posts_with_one_key_give_one_id(running: Gateway, database: Database) -> None:
    account_id, invoice_id = await _household(running, "hundred")
    body = payment_body(account_id, invoice_id)
    replies = await asyncio.gather(
        *(running.client.post("/v1/payments", bearer(), body, "hundred") for _ in range(100))
    )
    assert {reply.status for reply in replies} == {202}
    (payment_id,) = {reply.body["payment_id"] for reply in replies}
    assert sum(reply.header("idempotency-replayed") is None for reply in replies) == 1
    with psycopg.connect(database.dsn) as connection:
        count = connection.execute("SELECT count(*) FROM event WHERE stream = %s", (payment_id,)).fetchone()
    assert count == (1,)


async def test_the_same_key_with_another_body_is_refused_in_one_batch_and_later(running: Gateway) -> None:
    account_id, invoice_id = await _household(running, "other-body")
    bodies = [payment_body(account_id, invoice_id, minor) for minor in (100, 200)]
    replies = await asyncio.gather(
        *(running.client.post("/v1/payments", bearer(), body, "other-body") for body in bodies)
    )
    assert sorted(reply.status for reply in replies) == [202, 422]
    later = await running.client.post("/v1/payments", bearer(), payment_body(account_id, invoice_id, 300), "other-body")
    assert (later.status, later.body["code"]) == (422, "idempotency_key_reused")


async def test_spaces_and_order_of_a_body_do_not_matter_to_a_repeat(running: Gateway) -> None:
    account_id, invoice_id = await _household(running, "spaces")
    first = await running.client.post("/v1/payments", bearer(), payment_body(account_id, invoice_id), "spaces")
    raw = (
        f'{{ "method": {{"token": "pm_card_visa", "type": "card"}}, "amount": {{"currency": "USD", "minor": 18165}},'
        f' "invoice_id": "{invoice_id}",\n "account_id": "{account_id}" }}'
    ).encode()
    again = await running.client.post("/v1/payments", bearer(), raw, "spaces")
    assert again.body["payment_id"] == first.body["payment_id"]
    assert again.header("idempotency-replayed") == "true"


async def test_a_key_belongs_to_its_principal(running: Gateway) -> None:
    account_id, invoice_id = await _household(running, "principal")
    body = payment_body(account_id, invoice_id)
    mine = await running.client.post("/v1/payments", bearer("member", account_id), body, "principal")
    theirs = await running.client.post("/v1/payments", bearer("finance"), body, "principal")
    assert mine.body["payment_id"] != theirs.body["payment_id"]


async def test_a_repeated_account_stores_no_person_twice_and_another_body_none_at_all(running: Gateway) -> None:
    first = await running.client.post("/v1/accounts", bearer(), account_body(7), "person")
    again = await running.client.post("/v1/accounts", bearer(), account_body(7), "person")
    other = await running.client.post("/v1/accounts", bearer(), account_body(8), "person")
    assert first.body["account_id"] == again.body["account_id"]
    assert again.header("idempotency-replayed") == "true"
    assert other.status == 422
    assert len(running.people.noted) == 1


@pytest.mark.parametrize("point", [Point.STORE_IN_COMMIT, Point.STORE_BEFORE_COMMIT, Point.STORE_AFTER_COMMIT])
async def test_a_commit_whose_answer_is_lost_is_made_once(running: Gateway, database: Database, point: Point) -> None:
    account_id, invoice_id = await _household(running, f"lost-{point}")
    arm(point)
    body = payment_body(account_id, invoice_id)
    reply = await running.client.post("/v1/payments", bearer(), body, f"lost-{point}")
    if reply.status == 503:
        assert reply.header("retry-after") == "1"
        reply = await running.client.post("/v1/payments", bearer(), body, f"lost-{point}")
    assert reply.status == 202
    with psycopg.connect(database.dsn) as connection:
        count = connection.execute(
            "SELECT count(*) FROM request WHERE account_id = %s AND kind = 'payment'", (account_id,)
        ).fetchone()
    assert count == (1,)


async def test_a_killed_connection_loses_nothing_and_doubles_nothing(running: Gateway, database: Database) -> None:
    account_id, invoice_id = await _household(running, "killed")

    async def one(number: int) -> str:
        body = payment_body(account_id, invoice_id, number + 1)
        for _ in range(20):
            reply = await running.client.post("/v1/payments", bearer(), body, f"killed-{number}")
            if reply.status == 202:
                return str(reply.body["payment_id"])
            assert reply.status == 503, reply.body
            await asyncio.sleep(0.05)
        raise AssertionError("never accepted")

    async def kill() -> None:
        async with await psycopg.AsyncConnection.connect(database.admin_dsn, autocommit=True) as admin:
            for _ in range(10):
                await asyncio.sleep(0.01)
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'piperoll-gateway-log'"
                )

    ids, _ = await asyncio.gather(asyncio.gather(*(one(number) for number in range(200))), kill())
    assert len(set(ids)) == 200
    with psycopg.connect(database.dsn) as connection:
        count = connection.execute(
            "SELECT count(*) FROM request WHERE account_id = %s AND kind = 'payment'", (account_id,)
        ).fetchone()
    assert count == (200,)
    for shard in range(8):
        verify_log(database.dsn, shard)
