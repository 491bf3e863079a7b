"""Server-sent events: framing, rights, limits, and how a stream ends; over stories in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.gateway.domain.following import SOURCES, marks_text, parse_marks
from services.gateway.http import events as events_module
from services.gateway.http.database import Row
from services.gateway.http.events import event, opening
from services.gateway.http.rows import history_item
from services.gateway.http.waiting import LOOK_AT_LEAST_EVERY_S
from shared.errors import StoreDown
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.ids import Root, account_id
from shared.telemetry import metrics
from tests.event_reader import reading
from tests.gateway_kit import Client, Gateway, NoReads, bearer, gateway, settings

MINE, SECOND, FOREIGN, ELSEWHERE = (str(account_id(Root(bytes([n]) * 14))) for n in range(1, 5))
AT = datetime(2026, 11, 24, tzinfo=UTC)
MEMBER = bearer("member", MINE)


def fact(position: int, account: str = MINE, source: str = "billing", second: int | None = None) -> Row:
    at = AT.replace(second=position if second is None else second)
    return (source, 3, position, f"{source}.told.v1", at, date(2026, 11, 24), "pay_3_x", 5, "USD", None, None, None,
            None, account)  # fmt: skip


class Told(NoReads):
    """Stories in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {
            **{account: ("demo", "account", account) for account in (MINE, SECOND, FOREIGN)},
            ELSEWHERE: ("other-tenant", "account", ELSEWHERE),
        }
        self.facts: list[Row] = []
        self.down = False
        self.looks = 0

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        if self.down:
            raise StoreDown("away")
        if statement == "story_ends":
            ends: dict[tuple[str, str], int] = {}
            for row in self.facts:
                if row[-1] in parameters["accounts"]:
                    ends[row[-1], row[0]] = max(row[2], ends.get((row[-1], row[0]), 0))
            return [(*key, position) for key, position in ends.items()]
        if statement == "story_after":
            self.looks += 1
            columns = (parameters[name] for name in ("followers", "accounts", "sources", "after"))
            return [
                (follower, *row)
                for follower, account, source, after in zip(*columns, strict=True)
                for row in [one for one in self.facts if (one[-1], one[0]) == (account, source) and one[2] > after][:50]
            ]
        return await super().run(statement, parameters)


class Box:
    """A gateway over stories in memory."""

    def __init__(self, running: Gateway, told: Told) -> None:
        self.running = running
        self.told = told
        self.api = running.client.api
        self.client: Client = running.client

    def fold(self, *rows: Row) -> None:
        self.told.facts += rows
        self.running.bell.ring()


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    told = Told()
    chosen = settings(most_streams=3, most_streams_each=2)
    async with gateway(MemoryStore(8, mode=Mode.SHARED), told, chosen) as running:
        yield Box(running, told)


def positions(told: list[Any]) -> list[str]:
    return [one.data["position"] for one in told]


def test_an_event_has_an_id_a_type_and_the_item_on_one_line() -> None:
    row, marks = fact(7), {MINE: (7, 0, 0)}
    lines = event(row, marks).decode().split("\n")
    assert lines[0] == f"id: {marks_text(marks)}"
    assert lines[1] == "event: billing.told.v1"
    assert lines[2].startswith('data: {"account_id":')
    assert lines[3:] == ["", ""]
    assert history_item(row).position == "billing.3.7"


def test_a_stream_begins_with_where_to_come_back_to() -> None:
    assert opening({MINE: (1, 2, 3)}) == f"retry: 1000\nid: {marks_text({MINE: (1, 2, 3)})}\n\n".encode()


async def test_a_stream_tells_what_comes_from_now_on(box: Box) -> None:
    box.fold(fact(1))
    async with reading(box.api, MEMBER) as reader:
        box.fold(fact(2), fact(1, source="ledger"), fact(9, FOREIGN))
        told = await reader.until(2)
    assert positions(told) == ["ledger.3.1", "billing.3.2"]
    assert [one.event for one in told] == ["ledger.told.v1", "billing.told.v1"]
    assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream")
    assert reader.headers["cache-control"] == "no-store"
    assert (reader.retry_ms, parse_marks(reader.last_id)) == (1_000, {MINE: (2, 1, 0)})


async def test_what_came_while_the_caller_was_away_is_told_first_and_once(box: Box) -> None:
    async with reading(box.api, MEMBER) as first:
        box.fold(fact(1), fact(2))
        await first.until(2)
    box.fold(fact(3), fact(1, source="notifier", second=1))
    async with reading(box.api, MEMBER, last_id=first.told[0].id) as second:
        box.fold(fact(4))
        told = await second.until(4)
    assert sorted(positions(told)) == ["billing.3.2", "billing.3.3", "billing.3.4", "notifier.3.1"]


async def test_a_caller_that_left_before_any_event_has_missed_none(box: Box) -> None:
    async with reading(box.api, MEMBER) as first:
        assert first.last_id
    box.fold(fact(1))
    async with reading(box.api, MEMBER, last_id=first.last_id) as second:
        assert positions(await second.until(1)) == ["billing.3.1"]


async def test_more_than_one_look_holds_comes_all_the_same_in_order(box: Box) -> None:
    box.fold(*(fact(n, second=0) for n in range(1, 131)))
    async with reading(box.api, MEMBER, last_id=marks_text({MINE: (0,) * len(SOURCES)})) as reader:
        assert positions(await reader.until(130)) == [f"billing.3.{n}" for n in range(1, 131)]


async def test_a_member_follows_all_accounts_of_the_token_that_there_are(box: Box) -> None:
    unknown = account_id(Root(b"u" * 14))
    async with reading(box.api, bearer("member", MINE, SECOND, ELSEWHERE, unknown)) as reader:
        box.fold(fact(1), fact(1, SECOND), fact(1, FOREIGN), fact(1, ELSEWHERE))
        told = await reader.until(2)
    assert {one.data["account_id"] for one in told} == {MINE, SECOND}
    assert len(told) == 2


async def test_an_account_that_is_new_in_the_token_begins_now(box: Box) -> None:
    box.fold(fact(1), fact(1, SECOND))
    async with reading(box.api, bearer("member", MINE, SECOND), last_id=marks_text({MINE: (0, 0, 0)})) as reader:
        told = await reader.until(1)
        box.fold(fact(2, SECOND))
        told = await reader.until(2)
    assert [(one.data["account_id"], one.data["position"]) for one in told] == [
        (MINE, "billing.3.1"), (SECOND, "billing.3.2"),
    ]  # fmt: skip


async def test_an_id_that_names_an_account_of_others_opens_no_way_to_it(box: Box) -> None:
    box.fold(fact(1), fact(1, FOREIGN))
    async with reading(box.api, MEMBER, last_id=marks_text({MINE: (0, 0, 0), FOREIGN: (0, 0, 0)})) as reader:
        await reader.until(1)
        box.fold(fact(2, FOREIGN), fact(2))
        told = await reader.until(2)
    assert {one.data["account_id"] for one in told} == {MINE}
    assert parse_marks(reader.last_id) == {MINE: (2, 0, 0)}


async def test_who_comes_back_while_others_wait_is_told_at_once(box: Box) -> None:
    box.fold(fact(1))
    async with reading(box.api, bearer("member", SECOND)):
        await asyncio.sleep(0.1)  # by then the first one waits for a ring
        async with reading(box.api, MEMBER, last_id=marks_text({MINE: (0, 0, 0)})) as reader:
            await reader.until(1, within_s=LOOK_AT_LEAST_EVERY_S / 2)
    assert positions(reader.told) == ["billing.3.1"]


REFUSED: list[tuple[str, str, str | None, int, str, str | None]] = [
    (bearer(), "", None, 400, "parameter_invalid", "account_id"),
    (bearer("auditor"), "", None, 400, "parameter_invalid", "account_id"),
    (bearer("member"), "", None, 400, "parameter_invalid", "account_id"),
    (bearer("assister", *(account_id(Root(n.to_bytes(14, "big"))) for n in range(51))), "", None,
     400, "parameter_invalid", "account_id"),
    (bearer("member", ELSEWHERE), "", None, 404, "account_unknown", "account_id"),
    (MEMBER, f"account_id={FOREIGN}", None, 404, "account_unknown", "account_id"),
    (bearer(), f"account_id={ELSEWHERE}", None, 404, "account_unknown", "account_id"),
    (MEMBER, "", "x", 400, "last_event_id_invalid", "Last-Event-ID"),
    (MEMBER, "", marks_text({MINE: (1, 1, 1)}) + ",", 400, "last_event_id_invalid", "Last-Event-ID"),
    (MEMBER, "cursor=1", None, 400, "parameter_unknown", "cursor"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "query", "last_id", "status", "code", "field"), REFUSED)
async def test_a_stream_that_may_not_be_followed_is_refused_by_name(
    box: Box, token: str, query: str, last_id: str | None, status: int, code: str, field: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last_id} if last_id else {})}
    reply = await box.client.send("GET", f"/v1/events?{query}", headers=headers)
    assert (reply.status, reply.body["code"], reply.body["field"]) == (status, code, field)


async def test_staff_follow_the_account_that_they_name(box: Box) -> None:
    async with reading(box.api, bearer("support"), f"account_id={SECOND}") as reader:
        box.fold(fact(1), fact(1, SECOND))
        assert [one.data["account_id"] for one in await reader.until(1)] == [SECOND]


async def test_streams_are_bounded_for_each_and_for_all_and_a_slot_is_given_back(box: Box) -> None:
    async def refusal(token: str) -> tuple[int, str]:
        reply = await box.client.get("/v1/events", token)
        return reply.status, reply.body["code"]

    before = metrics.HTTP_STREAMS._value.get()
    other = bearer("member", SECOND)
    async with reading(box.api, MEMBER), reading(box.api, MEMBER):
        assert await refusal(MEMBER) == (429, "streams_too_many")
        async with reading(box.api, other):
            assert await refusal(other) == (503, "streams_full")
            assert metrics.HTTP_STREAMS._value.get() == before + 3
        async with reading(box.api, other) as again:
            assert again.status == 200
    assert metrics.HTTP_STREAMS._value.get() == before


async def test_a_head_takes_no_slot(box: Box) -> None:
    for _ in range(5):
        async with reading(box.api, MEMBER, method="HEAD") as reader:
            await reader.end()
        assert (reader.status, reader.told, reader.raw) == (200, [], b"")


async def test_silence_is_broken_by_comments(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "KEEP_ALIVE_S", 0.01)
    async with reading(box.api, MEMBER) as reader:
        async with asyncio.timeout(5):
            while reader.comments < 3:
                await asyncio.sleep(0.01)
        box.fold(fact(1))
        assert positions(await reader.until(1)) == ["billing.3.1"]


async def test_a_stream_ends_with_its_token(box: Box) -> None:
    token = bearer("member", MINE, exp=int(time.time()) - 29)  # within the leeway of 30 s
    async with reading(box.api, token) as reader:
        await reader.end(3)
    assert (reader.status, reader.told) == (200, [])


async def test_a_process_that_drains_ends_its_streams(box: Box) -> None:
    async with reading(box.api, MEMBER) as reader:
        box.running.system.draining = True
        await reader.end(2)
    assert reader.status == 200


async def test_a_database_that_is_away_for_a_moment_breaks_no_stream(box: Box) -> None:
    async with reading(box.api, MEMBER) as reader:
        box.told.down = True
        box.fold(fact(1))
        await asyncio.sleep(0.05)
        box.told.down = False
        box.running.bell.ring()
        assert positions(await reader.until(1)) == ["billing.3.1"]


async def test_one_query_looks_for_all_who_follow(box: Box) -> None:
    async with reading(box.api, MEMBER) as one, reading(box.api, bearer("member", SECOND)) as other:
        await asyncio.sleep(0.1)
        box.told.looks = 0
        box.fold(fact(1), fact(1, SECOND))
        await one.until(1)
        await other.until(1)
        assert box.told.looks == 1
