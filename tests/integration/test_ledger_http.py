"""The ledger's HTTP over a real database: what finance reads is what the log says, to the cent, of its own tenant."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace as changed

from shared.ids import shard_of
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import bearer
from tests.integration.ledger_http import Finance, ledger_http
from tests.integration.ledger_shard import SHARDS, LedgerShard, held_shard
from tests.unit.ledger.story import ACCOUNT, MONTH, POLICY, allocated, bill, registered, settled

HERE = shard_of("demo", ACCOUNT, SHARDS)
PAYMENT = f"pay_{HERE}_1"
PAID = (bill(), registered(payment_id=PAYMENT), settled(payment_id=PAYMENT), allocated(payment_id=PAYMENT))


class Books(msgspec.Struct):
    """A held shard and a caller."""

    shard: LedgerShard
    finance: Finance
    database: Database


@pytest.fixture
async def books(service_database: ServiceDatabase) -> AsyncIterator[Books]:
    database = service_database("ledger", SHARDS)
    async with held_shard(database.dsn, HERE) as shard, ledger_http(database.dsn, SHARDS) as finance:
        yield Books(shard, finance, database)


async def told(books: Books, *facts: Any) -> str:
    """Tell facts and return where the last of them stands."""
    answer = await books.shard.tell(*facts)
    await books.shard.folded()
    return f"ledger.{HERE}.{answer.position}"


async def test_balances_of_a_household_are_the_sums_of_its_postings(books: Books) -> None:
    await told(books, *PAID)

    reply = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}")

    assert [(one["code"], one["sub_key"], one["balance_minor"]) for one in reply.body["items"]] == [
        ("1120", "card", 0),
        ("1125", "card", 18165),
        ("1210", f"{ACCOUNT}/{POLICY}/{MONTH}", 0),
        ("1220", f"{POLICY}/{MONTH}", 62666),
        ("2110", ACCOUNT, 0),
        ("2210", f"{POLICY}/{MONTH}", -62666),
        ("2220", POLICY, -18165),
        ("2310", PAYMENT, 0),
    ]
    assert reply.body["position"] == f"ledger.{HERE}.4"
    assert reply.body["next"] is None


async def pages(finance: Finance, path: str) -> list[list[Any]]:
    """Read a list to its end."""
    found, cursor = [], ""
    while True:
        reply = await finance.get(path + cursor)
        assert reply.status == 200, reply.raw
        found.append(reply.body["items"])
        if reply.body["next"] is None:
            return found
        cursor = f"&cursor={reply.body['next']}"


@pytest.mark.parametrize(
    "query",
    [
        f"/v1/balances?account_id={ACCOUNT}",
        f"/v1/entries?account_id={ACCOUNT}",
        f"/v1/entries?account_id={ACCOUNT}&effective_from=2020-01-01",
        f"/v1/entries?payment_id={PAYMENT}",
        "/v1/entries?effective_from=2020-01-01",
        "/v1/entries?code=1125&sub_key=card",
        f"/v1/entries?code=2110&sub_key={ACCOUNT}",
        "/v1/balances?code=1120",
        f"/v1/statements?account_id={ACCOUNT}",
        f"/v1/statements?account_id={ACCOUNT}&code=2110",
        "/v1/statements?code=1120&sub_key=card",
    ],
)
async def test_pages_joined_are_the_whole_list_each_item_once(books: Books, query: str) -> None:
    other = f"pay_{HERE}_2"
    await told(books, *PAID, bill(), changed(registered(payment_id=other), processor="wire"))
    await told(books, changed(settled(payment_id=other), processor="wire"), settled(payment_id=f"pay_{HERE}_3"))

    [whole] = await pages(books.finance, query)
    cut = await pages(books.finance, f"{query}&limit=1")

    assert len(whole) > 1
    assert [item for page in cut for item in page] == whole
    assert {len(page) for page in cut} == {1}


async def test_entries_are_the_newest_first_and_found_by_account_payment_day_and_id(books: Books) -> None:
    await told(books, *PAID)
    get = books.finance.get

    of_account = (await get(f"/v1/entries?account_id={ACCOUNT}")).body["items"]
    of_payment = (await get(f"/v1/entries?payment_id={PAYMENT}")).body["items"]
    of_days = (await get("/v1/entries?effective_from=2026-02-01&effective_to=2026-02-28")).body["items"]

    assert [one["rule"] for one in of_account] == ["PR-06", "PR-05", "PR-04", "PR-01"]
    assert of_payment == of_account[:3]
    assert sorted(of_days, key=lambda one: one["entry_id"]) == sorted(of_account, key=lambda one: one["entry_id"])
    for one in of_account:
        assert (await get(f"/v1/entries/{one['entry_id']}")).body == one
        debits = sum(leg["amount_minor"] for leg in one["postings"] if leg["side"] == "D")
        assert debits == sum(leg["amount_minor"] for leg in one["postings"] if leg["side"] == "C")
    assert (await get("/v1/entries?effective_to=2026-01-31")).body["items"] == []


async def test_entries_of_an_account_code_are_found_whoever_booked_them(books: Books) -> None:
    await told(books, *PAID)
    get = books.finance.get

    house_wide = (await get("/v1/entries?code=1125&sub_key=card")).body["items"]
    own = (await get(f"/v1/entries?code=1210&sub_key={ACCOUNT}/{POLICY}/{MONTH}")).body["items"]
    of_march = (await get("/v1/entries?code=1125&sub_key=card&effective_from=2026-03-01")).body["items"]

    assert [one["rule"] for one in house_wide] == ["PR-05"]
    assert [one["rule"] for one in own] == ["PR-06", "PR-01"]
    assert of_march == []
    assert (await get("/v1/entries?code=1210&sub_key=nobody")).body["items"] == []


async def test_a_households_statement_runs_per_account_and_says_what_is_owed(books: Books) -> None:
    await told(books, *PAID)

    lines = (await books.finance.get(f"/v1/statements?account_id={ACCOUNT}")).body["items"]
    one = (await books.finance.get(f"/v1/statements?account_id={ACCOUNT}&code=1210")).body["items"]

    assert [line["owed_minor"] for line in lines if line["code"] in ("1210", "2110")] == [18165, 0, 18165, 0]
    assert [(line["rule"], line["balance_minor"], line["owed_minor"]) for line in one] == [
        ("PR-01", 18165, 18165),
        ("PR-06", 0, 0),
    ]
    balances = (await books.finance.get(f"/v1/balances?account_id={ACCOUNT}")).body["items"]
    last = {(line["code"], line["sub_key"], line["currency"]): line["balance_minor"] for line in lines}
    assert last == {(of["code"], of["sub_key"], of["currency"]): of["balance_minor"] for of in balances}


async def test_a_house_wide_statement_goes_on_from_what_the_days_before_came_to(books: Books) -> None:
    for number, day in enumerate(("2026-02-12", "2026-02-10", "2026-02-10", "2026-02-11"), start=1):
        payment = f"pay_{HERE}_{number}"
        await told(books, registered(payment_id=payment), changed(settled(payment_id=payment), settled_on=day))

    query = "/v1/statements?code=1125&sub_key=card"
    lines = [line for page in await pages(books.finance, query + "&limit=1") for line in page]
    later = (await books.finance.get(query + "&effective_from=2026-02-11&effective_to=2026-02-11")).body["items"]

    assert [(line["effective_date"], line["balance_minor"]) for line in lines] == [
        ("2026-02-10", 18165), ("2026-02-10", 2 * 18165), ("2026-02-11", 3 * 18165), ("2026-02-12", 4 * 18165),
    ]  # fmt: skip
    assert later == [lines[2]]


async def test_the_trial_balance_of_a_day_is_even_and_as_far_as_its_positions(books: Books) -> None:
    await told(books, *PAID)
    payment = f"pay_{HERE}_9"
    place = await told(
        books, registered(payment_id=payment), changed(settled(payment_id=payment), settled_on="2026-02-11")
    )

    of_tenth = (await books.finance.get("/v1/trial-balance?as_of=2026-02-10")).body
    of_next = (await books.finance.get("/v1/trial-balance?as_of=2026-02-11")).body
    before = (await books.finance.get("/v1/trial-balance?as_of=2026-02-08")).body
    as_csv = await books.finance.get("/v1/trial-balance?as_of=2026-02-10", Accept="text/csv")

    def of(told: Any, code: str) -> tuple[int, int]:
        return next((line["debit_minor"], line["credit_minor"]) for line in told["lines"] if line["code"] == code)

    assert of(of_tenth, "1125") == (18165, 0)
    assert of(of_next, "1125") == (2 * 18165, 0)
    assert (before["lines"], before["positions"]) == ([], {})
    for told_of in (of_tenth, of_next):
        assert sum(x["debit_minor"] for x in told_of["lines"]) == sum(x["credit_minor"] for x in told_of["lines"])
    assert of_next["positions"] == {str(HERE): int(place.rpartition(".")[2])}
    assert b"2026-02-10,1125,USD,18165,0\r\n" in as_csv.raw


async def test_the_balance_of_a_code_is_summed_over_all_who_booked_on_it(books: Books) -> None:
    place = await told(books, *PAID)
    get = books.finance.get

    [card] = (await get("/v1/balances?code=1125&sub_key=card")).body["items"]
    own = (await get(f"/v1/balances?code=2220&sub_key={POLICY}")).body

    assert (card["account_id"], card["balance_minor"]) == (None, 18165)
    assert [one["balance_minor"] for one in own["items"]] == [-18165]
    assert own["position"] == place


async def test_csv_has_a_line_per_posting_and_its_next_page_in_link(books: Books) -> None:
    await told(books, *PAID)

    reply = await books.finance.get(f"/v1/entries?account_id={ACCOUNT}&limit=1", Accept="text/csv")

    assert reply.header("content-type") == "text/csv; charset=utf-8; header=present"
    assert reply.raw.count(b"\r\n") == 5
    lines = list(csv.DictReader(io.StringIO(reply.raw.decode(), newline="")))
    assert {line["rule"] for line in lines} == {"PR-06"}
    assert sum(int(line["debit_minor"]) for line in lines) == sum(int(line["credit_minor"]) for line in lines) == 36330
    link = reply.header("link") or ""
    following = await books.finance.get("/v1/entries" + link.partition("<")[2].partition(">")[0], Accept="text/csv")
    assert b"PR-05" in following.raw


async def test_what_is_there_already_is_not_sent_again(books: Books) -> None:
    await told(books, *PAID)
    first = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}")
    etag = first.header("etag") or ""

    again = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}", If_None_Match=etag)
    await told(books, bill())
    changed = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}", If_None_Match=etag)

    assert (again.status, again.raw, again.header("content-length")) == (304, b"", None)
    assert changed.status == 200


async def test_a_read_waits_until_it_is_as_new_as_its_caller(books: Books) -> None:
    place = await told(books, *PAID)

    reached = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}&min_position={place},billing.{HERE}.0")
    ahead = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}&min_position=ledger.{HERE}.99")
    late = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}&min_position=billing.{HERE}.7")

    assert reached.status == 200
    assert (ahead.status, ahead.body["code"]) == (409, "position_ahead")
    assert (late.status, late.body["code"]) == (503, "position_not_reached")


async def test_what_the_projections_have_not_folded_is_not_ready_and_never_taken_for_nothing(
    service_database: ServiceDatabase,
) -> None:
    database = service_database("ledger", SHARDS)
    async with (
        held_shard(database.dsn, HERE, lambda context: ()) as shard,
        ledger_http(database.dsn, SHARDS) as finance,
    ):
        await shard.tell(*PAID)
        replies = [
            await finance.get(path)
            for path in (f"/v1/balances?account_id={ACCOUNT}", f"/v1/entries?payment_id={PAYMENT}")
        ]
        from_the_log = await finance.get(f"/v1/entries?account_id={ACCOUNT}")

    assert [(reply.status, reply.body["code"]) for reply in replies] == [(503, "history_not_ready")] * 2
    assert {reply.header("retry-after") for reply in replies} == {"1"}
    assert len(from_the_log.body["items"]) == 4


@pytest.mark.parametrize("role", ["member", "assister", "support"])
async def test_who_does_not_keep_or_check_books_reads_nothing(books: Books, role: str) -> None:
    reply = await books.finance.get(f"/v1/balances?account_id={ACCOUNT}", bearer(role, ACCOUNT))

    assert (reply.status, reply.body["code"]) == (403, "role_not_allowed")


async def test_somebody_elses_books_look_like_none(books: Books) -> None:
    """Of another tenant on the same shard."""
    await told(books, *PAID)
    entry = (await books.finance.get(f"/v1/entries?account_id={ACCOUNT}")).body["items"][0]["entry_id"]
    tenant = next(name for name in map(str, range(99)) if shard_of(name, ACCOUNT, SHARDS) == HERE)
    stranger = bearer("auditor", tenant=tenant)

    for path, code in (
        (f"/v1/balances?account_id={ACCOUNT}", "account_unknown"),
        (f"/v1/entries?account_id={ACCOUNT}", "account_unknown"),
        (f"/v1/entries?account_id={ACCOUNT}&effective_from=2020-01-01", "account_unknown"),
        (f"/v1/entries?payment_id={PAYMENT}", "payment_unknown"),
        (f"/v1/entries/{entry}", "entry_unknown"),
        (f"/v1/statements?account_id={ACCOUNT}", "account_unknown"),
    ):
        reply = await books.finance.get(path, stranger)
        assert (path, reply.status, reply.body["code"]) == (path, 404, code)
    for path in (
        "/v1/entries?effective_from=2020-01-01",
        "/v1/entries?code=1125&sub_key=card",
        f"/v1/entries?code=2220&sub_key={POLICY}",
        "/v1/balances?code=1125",
        f"/v1/balances?code=2220&sub_key={POLICY}",
        "/v1/statements?code=1125&sub_key=card",
    ):
        assert (path, (await books.finance.get(path, stranger)).body["items"]) == (path, [])
    assert (await books.finance.get("/v1/trial-balance?as_of=2030-01-01", stranger)).body["lines"] == []


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("/v1/balances", 400, "filter_missing", "account_id"),
        ("/v1/balances?account_id=", 400, "parameter_invalid", "account_id"),
        ("/v1/balances?account_id=acc_nobody", 404, "account_unknown", "account_id"),
        (f"/v1/balances?account_id={ACCOUNT}&cursor=x", 400, "cursor_invalid", "cursor"),
        (f"/v1/balances?account_id={ACCOUNT}&limit=501", 400, "parameter_invalid", "limit"),
        (f"/v1/balances?account_id={ACCOUNT}&color=red", 400, "parameter_unknown", "color"),
        ("/v1/entries", 400, "filter_missing", "account_id"),
        (f"/v1/entries?account_id={ACCOUNT}&payment_id={PAYMENT}", 400, "filter_excluded", "payment_id"),
        ("/v1/entries?effective_from=2026-02-30", 400, "parameter_invalid", "effective_from"),
        ("/v1/entries?effective_to=20260228", 400, "parameter_invalid", "effective_to"),
        ("/v1/entries?payment_id=pay_99_x", 404, "payment_unknown", "payment_id"),
        ("/v1/entries?code=1125", 400, "filter_missing", "sub_key"),
        ("/v1/entries?sub_key=card", 400, "filter_missing", "account_id"),
        ("/v1/entries?code=9999&sub_key=card", 400, "parameter_invalid", "code"),
        ("/v1/entries?code=1125&sub_key=card&currency=usd", 400, "parameter_invalid", "currency"),
        (f"/v1/balances?account_id={ACCOUNT}&code=1125", 400, "filter_excluded", "code"),
        ("/v1/balances?code=1210", 400, "filter_missing", "sub_key"),
        ("/v1/balances?sub_key=card", 400, "filter_missing", "code"),
        ("/v1/statements", 400, "filter_missing", "account_id"),
        ("/v1/statements?code=1125", 400, "filter_missing", "sub_key"),
        ("/v1/statements?code=2110&sub_key=acc_1", 400, "filter_missing", "account_id"),
        (f"/v1/statements?account_id={ACCOUNT}&effective_from=2026-01-01", 400, "filter_excluded", "effective_from"),
        ("/v1/statements?account_id=acc_nobody", 404, "account_unknown", "account_id"),
        ("/v1/trial-balance?as_of=yesterday", 400, "parameter_invalid", "as_of"),
        ("/v1/entries/ent_0_x", 404, "entry_unknown", None),
        ("/v1/entries/pay_0_x", 404, "entry_unknown", None),
        (f"/v1/entries?account_id={ACCOUNT}&min_position=gateway.0.1", 400, "position_invalid", "min_position"),
        (f"/v1/entries?account_id={ACCOUNT}&min_position=ledger.9.1", 409, "position_ahead", "min_position"),
        ("/v1/journals", 404, "route_unknown", None),
    ],
)
async def test_each_wrong_question_has_its_own_answer(
    books: Books, path: str, status: int, code: str, field: str | None
) -> None:
    reply = await books.finance.get(path)

    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field)
