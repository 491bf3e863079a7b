"""Many callers on few connections: each gets its own answer, a question that fails harms no other, lost ones are asked
again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.errors import DivisionByZero

from shared.errors import Overloaded, StoreDown
from shared.postgres import reader as module
from shared.postgres.binary import int8
from shared.postgres.reader import Reader
from shared.postgres.wire import Call

APPLICATION = "test-reader"
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test-reader'"
END_THEM = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'test-reader'"


def number(asked: int) -> Call:
    return Call("number", "SELECT $1::bigint, 'n' || $1::bigint", [int8(asked)])


def divided(by: int) -> Call:
    return Call("divided", "SELECT 10 / $1::bigint", [int8(by)])


NAP = Call("nap", "SELECT pg_sleep(30)::text")


@asynccontextmanager
async def reading(dsn: str, connections: int = 2, **settings: str) -> AsyncIterator[Reader]:
    reader = Reader(dsn, APPLICATION, connections, settings)
    looking = asyncio.get_running_loop().create_task(reader.run())
    try:
        yield reader
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await reader.close()


async def test_each_of_many_callers_gets_its_own_answer_over_few_connections(postgres_admin_dsn: str) -> None:
    async with reading(postgres_admin_dsn) as reader:
        answers = await asyncio.gather(*(reader.ask(number(asked)) for asked in range(500)))
        with psycopg.connect(postgres_admin_dsn) as admin:
            assert admin.execute(OURS).fetchone() == (2,)

    assert answers == [[(asked, f"n{asked}")] for asked in range(500)]


async def test_a_question_that_fails_harms_no_other(postgres_admin_dsn: str) -> None:
    async with reading(postgres_admin_dsn, 1) as reader:
        answers = await asyncio.gather(
            *(reader.ask(divided(by)) for by in (1, 0, 2, 0, 5)), reader.ask(Call("wrong", "SELECT nothing")),
            reader.ask(number(7)), return_exceptions=True,
        )  # fmt: skip
        again = await asyncio.gather(reader.ask(Call("wrong", "SELECT nothing")), return_exceptions=True)

    assert [answers[at] for at in (0, 2, 4, 6)] == [[(10,)], [(5,)], [(2,)], [(7, "n7")]]
    assert isinstance(answers[1], DivisionByZero)
    assert isinstance(answers[5], psycopg.errors.UndefinedColumn)
    assert isinstance(again[0], psycopg.errors.UndefinedColumn)


async def test_what_was_asked_on_a_connection_that_broke_is_asked_again(postgres_admin_dsn: str) -> None:
    async with reading(postgres_admin_dsn) as reader:
        await asyncio.gather(*(reader.ask(number(asked)) for asked in range(9)))
        with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
            admin.execute(END_THEM)

        answers = await asyncio.gather(*(reader.ask(number(asked)) for asked in range(9)))

    assert [rows[0][0] for rows in answers] == list(range(9))


async def test_what_takes_too_long_is_given_up(postgres_admin_dsn: str) -> None:
    async with reading(postgres_admin_dsn, statement_timeout="200ms") as reader:
        with pytest.raises(StoreDown, match="took too long"):
            await reader.ask(NAP)
        assert await reader.ask(number(1)) == [(1, "n1")]


async def test_a_server_that_stands_still_is_not_waited_for(
    postgres_admin_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)
    async with reading(postgres_admin_dsn) as reader:
        with pytest.raises(StoreDown, match="does not answer"):
            await reader.ask(NAP)


async def test_no_server_is_said_so() -> None:
    async with reading("host=/nowhere dbname=none") as reader:
        with pytest.raises(StoreDown):
            await reader.ask(number(1))


async def test_too_many_questions_are_refused(postgres_admin_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    async with reading(postgres_admin_dsn, 1) as reader:
        await reader.ask(number(0))
        asked = [asyncio.ensure_future(reader.ask(number(at))) for at in range(9)]
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert sum(isinstance(answer, Overloaded) for answer in answers) == 6
