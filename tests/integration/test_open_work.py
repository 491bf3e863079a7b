"""Open work kept in PostgreSQL is what the log says, and a hint that may be lost."""

from collections.abc import AsyncIterator
from contextlib import suppress

import psycopg
import pytest_asyncio

from services.billing.effects.index import PostgresIndex
from services.billing.effects.works import OpenAttempt, OpenReport, Origin
from shared.errors import StoreDown
from tests.conftest import Database, ServiceDatabase

ORIGIN = Origin(tenant="demo", correlation="c", causation="e", trace=None)
REPORT = OpenReport(origin=ORIGIN, processor="card", day="2026-03-01", is_first=True)


def attempt(name: str) -> OpenAttempt:
    return OpenAttempt(
        origin=ORIGIN, account_id="acc_1", payment_id="pay_1", attempt_id=name, amount_minor=1, currency="USD",
        token="pm", planned_at="2026-03-01T00:00:00.000000Z", processor_ref="pi_1",
    )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(service_database: ServiceDatabase) -> AsyncIterator[Database]:
    yield service_database("billing", shards=8)


@pytest_asyncio.fixture(loop_scope="session")
async def index(database: Database) -> AsyncIterator[PostgresIndex]:
    one = PostgresIndex(database.dsn)
    yield one
    await one.close()


async def test_nothing_is_open_at_the_beginning(index: PostgresIndex) -> None:
    assert await index.load(0) == (0, [])


async def test_what_is_kept_comes_back_until_it_is_closed(index: PostgresIndex) -> None:
    await index.save(1, 10, [attempt("att_1"), attempt("att_2"), REPORT], [])
    await index.save(1, 20, [attempt("att_3")], ["att_1", "att_never"])
    assert await index.load(1) == (20, [attempt("att_2"), attempt("att_3"), REPORT])


async def test_a_worker_that_lost_its_shard_moves_nothing_back(index: PostgresIndex) -> None:
    await index.save(2, 20, [attempt("att_1")], [])
    await index.save(2, 15, [attempt("att_2")], ["att_1"])
    await index.save(2, 20, [attempt("att_2")], ["att_1"])
    assert await index.load(2) == (20, [attempt("att_1")])


async def test_shards_know_nothing_of_each_other(index: PostgresIndex) -> None:
    await index.save(3, 5, [attempt("att_1")], [])
    assert await index.load(4) == (0, [])


async def test_a_broken_connection_is_made_again(index: PostgresIndex, database: Database) -> None:
    await index.load(5)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'billing-effects'"
        )
    with suppress(StoreDown):
        await index.save(5, 1, [attempt("att_1")], [])
    await index.save(5, 2, [attempt("att_1")], [])
    assert await index.load(5) == (2, [attempt("att_1")])
