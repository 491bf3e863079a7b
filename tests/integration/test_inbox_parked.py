"""`piperoll admin parked`: looking shows what waits, an order is a row that the shard's owner does and notes."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from deploy.local.admin_parked import app
from deploy.local.errors import LocalStackError
from shared.errors import StoreDown
from shared.eventlog.orders import ParkedOrders
from shared.eventlog.ports import Order

PLACE = "3/billing.events.v1/5/41"
INSERT = (
    "INSERT INTO parked (shard, topic, source_shard, position, key, cause, data, type, released_at, ended)"
    " VALUES (3, 'billing.events.v1', %s, %s, %s, %s, %s, 'billing.x.v1', %s, %s)"
)


@pytest.fixture(scope="module")
def database(service_database: Callable[..., Any]) -> Any:
    made = service_database("ledger")
    with psycopg.connect(made.admin_dsn, autocommit=True) as connection:
        connection.execute(INSERT, (5, 41, "acc_1", "wrong_schema", b'{"odd": "\xc3\xbc\xff"}', None, None))
        connection.execute(INSERT, (5, 40, "acc_2", "not_json", b"gone", datetime.now(UTC), "dropped"))
    return made


@pytest.fixture(autouse=True)
def _no_orders(database: Any) -> Iterator[None]:
    yield
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM parked_order")
        connection.execute("UPDATE parked SET released_at = NULL, ended = NULL WHERE position = 41")


def run(database: Any, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--dsn", database.admin_dsn])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_list_names_what_waits_with_its_place_cause_and_key(database: Any) -> None:
    (line,) = run(database, "list", "--service", "ledger").splitlines()
    for word in ("ledger", PLACE, "wrong_schema", "billing.x.v1", "acc_1", "waits"):
        assert word in line
    assert "dropped" in run(database, "list", "--service", "ledger", "--all")


def test_show_prints_the_bytes_also_those_that_are_no_text(database: Any) -> None:
    shown = run(database, "show", "ledger", PLACE)
    assert '{"odd": "ü\\xff"}' in shown
    assert "wrong_schema" in shown


def order(database: Any, word: str) -> str:
    try:
        return run(database, word, "ledger", PLACE)
    except LocalStackError as error:
        return str(error)


@pytest.mark.parametrize("obeyed", [True, False])
@pytest.mark.parametrize(("word", "how"), [("release", "released"), ("drop", "dropped")])
async def test_an_order_waits_for_the_owner_and_says_what_came_of_it(
    database: Any, word: str, how: str, obeyed: bool
) -> None:
    orders = ParkedOrders(database.dsn)
    said: list[str] = []
    person = threading.Thread(target=lambda: said.append(order(database, word)))
    person.start()
    waiting: list[Order] = []
    while not waiting:
        await asyncio.sleep(0.05)
        waiting = await orders.waiting(3)
    assert [(order.topic, order.source_shard, order.position, order.how) for order in waiting] == [
        ("billing.events.v1", 5, 41, how)
    ]
    assert await orders.waiting(4) == []
    if obeyed:
        with psycopg.connect(database.dsn) as owner:
            owner.execute("UPDATE parked SET released_at = now(), ended = %s WHERE position = 41", (how,))
    await orders.done(3, waiting)
    await asyncio.to_thread(person.join)
    (answer,) = said
    assert answer == f"{how}: ledger {PLACE}\n" if obeyed else "still waits" in answer
    assert await orders.waiting(3) == []
    await orders.close()


@pytest.mark.parametrize("place", ["3/billing.events.v1/5/40", "3/billing.events.v1/5/99"])
def test_what_does_not_wait_cannot_be_ordered(database: Any, place: str) -> None:
    with pytest.raises(LocalStackError, match="no waiting record"):
        run(database, "release", "ledger", place)


def test_a_place_that_is_none_and_a_service_that_is_none_are_named(database: Any) -> None:
    with pytest.raises(LocalStackError, match="no place"):
        run(database, "drop", "ledger", "3/topic")
    with pytest.raises(LocalStackError, match="has no log"):
        run(database, "drop", "mail", PLACE)


def test_a_service_may_note_an_order_as_done_and_no_more(database: Any) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for forbidden in (
            "INSERT INTO parked_order (shard, topic, source_shard, position, how, ordered_by)"
            " VALUES (3, 'billing.events.v1', 5, 41, 'dropped', 'me')",
            "UPDATE parked_order SET how = 'dropped'",
            "DELETE FROM parked_order",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())


async def test_a_database_that_is_away_is_store_down() -> None:
    orders = ParkedOrders("host=127.0.0.1 port=1 user=nobody dbname=none")
    with pytest.raises(StoreDown):
        await orders.waiting(0)
    await orders.close()
