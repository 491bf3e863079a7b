"""Entries by hand and ledger accounts at the gateway, against a real database: asked for, decided, shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from services.gateway.domain.direct import LedgerAccountStatus
from services.gateway.http.database import SQL
from tests.conftest import Database, ServiceDatabase
from tests.gateway_kit import Reply, bearer
from tests.integration.gateway_box import Box, gateway_box
from tests.integration.gateway_direct import (
    CREDIT_BODY,
    DEBIT_BODY,
    DIGEST,
    JOURNAL,
    REVERSAL,
    account_changed,
    approved,
    by_hand,
    change_proposed,
    ended,
    entry_of,
    journal_proposed,
    not_allowed,
    reversal_proposed,
)
from tests.plans import plan_of

APPROVE = {"digest": DIGEST, "decision": "approve"}


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway", shards=1)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Box]:
    async with gateway_box(database) as running:
        yield running


def opening(name: str) -> dict[str, Any]:
    return {"code": "5020", "sub_key": name, "currency": "USD"}


async def _change_of(box: Box, account: str) -> str:
    """Return the id of the newest request about a ledger account: the proposal of its change has it too."""
    with psycopg.connect(box.database.dsn) as connection:
        row = connection.execute(
            "SELECT id FROM request WHERE subject = %s ORDER BY created_at DESC LIMIT 1", (account,)
        ).fetchone()
    assert row is not None
    return str(row[0])


async def test_a_journal_is_shown_as_far_as_the_ledger_has_come(box: Box) -> None:
    first = await box.post("/v1/journals", JOURNAL, "journal")
    journal = first.body["journal_id"]
    assert (first.status, first.body["status"], first.body["approval"]) == (202, "accepted", None)
    assert first.header("location") == f"/v1/journals/{journal}"
    assert journal.startswith("jnl_0_")
    waiting = asyncio.create_task(box.post("/v1/journals", JOURNAL, "journal", Prefer="wait=10"))
    await asyncio.sleep(0.1)
    await box.tell("ledger", journal_proposed(journal))
    told = await asyncio.wait_for(waiting, 5)
    assert (told.status, told.body["status"], told.header("idempotency-replayed")) == (202, "awaiting_approval", "true")
    assert told.body["approval"] == {
        "needed": 2, "given": 0, "digest": DIGEST, "approve_by": "2026-11-27T00:00:00.000000Z",
    }  # fmt: skip
    assert (told.body["legs"], told.body["purpose"]) == ([DEBIT_BODY, CREDIT_BODY], "fee")
    assert told.body["reference"] == "L-9"
    request = await box.post(f"/v1/journals/{journal}/approval", APPROVE, "journal-1")
    assert (request.status, request.body["subject"], request.body["operation"]) == (202, journal, "journals.approval")
    await box.tell("ledger", approved(journal, request.body["request_id"]))
    assert (await box.get(f"/v1/requests/{request.body['request_id']}")).body["status"] == "done"
    shown = (await box.get(f"/v1/journals/{journal}")).body
    assert (shown["status"], shown["approval"]["given"], shown["entry_id"]) == ("awaiting_approval", 1, None)
    await box.tell("ledger", approved(journal, "req_0_x", last=True))
    assert (await box.get(f"/v1/journals/{journal}")).body["status"] == "awaiting_approval"
    await box.tell("ledger", by_hand(entry_of("a"), journal))
    final = await box.post("/v1/journals", JOURNAL, "journal", Prefer="wait=1")
    assert (final.status, final.body["status"], final.body["entry_id"]) == (201, "posted", entry_of("a"))
    assert final.body["approval"]["given"] == 2


async def test_only_finance_and_auditors_read_the_note_of_who_proposed(box: Box) -> None:
    journal = (await box.post("/v1/journals", JOURNAL, "note")).body["journal_id"]
    ((_, person),) = [key for key, fields in box.gateway.people.noted.items() if "note" in fields]
    proposed = journal_proposed(journal)
    box.by = person
    await box.tell("ledger", proposed)
    for role, note in (("finance", "the bank's letter"), ("auditor", "the bank's letter"), ("operator", None)):
        shown = (await box.get(f"/v1/journals/{journal}", bearer(role))).body
        assert (shown["note"], shown["proposed_by"]) == (note, person)


ENDS: list[tuple[list[Any], tuple[str, str | None, str | None, int]]] = [
    ([not_allowed("", "decided_elsewhere", "legs.0.code")], ("refused", "decided_elsewhere", "/legs/0/code", 201)),
    ([journal_proposed(""), ended("", "rejected", "req_0_z")], ("rejected", None, None, 201)),
    ([journal_proposed(""), ended("", "lapsed")], ("lapsed", None, None, 201)),
    ([journal_proposed(""), ended("", "refused", "req_0_z", "ledger_account_frozen")],
     ("refused", "ledger_account_frozen", None, 201)),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "told"), ENDS)
async def test_a_journal_that_is_not_posted_says_why(
    box: Box, facts: list[Any], told: tuple[str, str | None, str | None, int]
) -> None:
    key = f"end-{told[0]}-{told[1]}"
    journal = (await box.post("/v1/journals", JOURNAL, key)).body["journal_id"]
    await box.tell("ledger", *(_about(fact, journal) for fact in facts))
    again = await box.post("/v1/journals", JOURNAL, key)
    assert (again.body["status"], again.body["reason"], again.body["field"], again.status) == told


def _about(fact: Any, proposal: str) -> Any:
    name = "subject" if hasattr(fact, "subject") else "proposal_id"
    return type(fact)(**{**{field: getattr(fact, field) for field in fact.__struct_fields__}, name: proposal})


async def test_the_same_key_with_other_legs_is_another_journal_and_refused(box: Box) -> None:
    first = await box.post("/v1/journals", JOURNAL, "twice")
    again = await box.post("/v1/journals", JOURNAL, "twice")
    assert again.body["journal_id"] == first.body["journal_id"]
    other = await box.post("/v1/journals", {**JOURNAL, "reason": "write_off"}, "twice")
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_reversals_of_an_entry_are_listed_newest_first_and_found_by_their_digest(box: Box) -> None:
    where = f"/v1/entries/{entry_of('list')}/reversal"
    assert (await box.get(where)).body == {"items": [], "next": None}
    parts = {**REVERSAL, "legs": [DEBIT_BODY, CREDIT_BODY]}
    asked = [await box.post(where, parts, f"list-{number}") for number in range(3)]
    ids = [reply.body["reversal_id"] for reply in asked]
    assert {(reply.status, reply.body["status"], reply.header("location")) for reply in asked} == {
        (202, "accepted", where)
    }
    page = (await box.get(f"{where}?limit=2")).body
    rest = (await box.get(f"{where}?limit=2&cursor={page['next']}")).body
    assert [one["reversal_id"] for one in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    entry = entry_of("list")
    await box.tell("ledger", reversal_proposed(ids[0], entry), reversal_proposed(ids[1], entry, "e" * 64),
                   not_allowed(ids[2], "reversal_exceeds_entry"))  # fmt: skip
    found = {one["reversal_id"]: one for one in (await box.get(where)).body["items"]}
    assert [found[name]["status"] for name in ids] == ["awaiting_approval", "awaiting_approval", "refused"]
    assert found[ids[2]]["reason"] == "reversal_exceeds_entry"
    assert (found[ids[0]]["currency"], found[ids[0]]["parts"]) == ("USD", [DEBIT_BODY, CREDIT_BODY])
    assert [leg["side"] for leg in found[ids[0]]["legs"]] == ["C", "D"]
    decided = await box.post(f"{where}/approval", {**APPROVE, "digest": "e" * 64}, "list-approve")
    with psycopg.connect(box.database.dsn) as connection:
        row = connection.execute(
            "SELECT body->>'proposal_id' FROM request WHERE id = %s", (decided.body["request_id"],)
        ).fetchone()
    assert row == (ids[1],)
    assert decided.body["subject"] == entry
    unknown = await box.post(f"{where}/approval", {**APPROVE, "digest": "f" * 64}, "list-unknown")
    assert (unknown.status, unknown.body["code"], unknown.body["field"]) == (404, "proposal_unknown", "/digest")
    await box.tell("ledger", approved(ids[1], "req_0_l", last=True), by_hand(entry_of("back"), ids[1]))
    posted = await box.post(where, parts, "list-1")
    assert (posted.status, posted.body["status"]) == (201, "posted")
    assert posted.body["reversing_entry_id"] == entry_of("back")


async def test_one_digest_of_two_reversals_means_the_one_that_waits(box: Box) -> None:
    where = f"/v1/entries/{entry_of('same')}/reversal"
    first, second = [(await box.post(where, REVERSAL, f"same-{n}")).body["reversal_id"] for n in range(2)]
    await box.tell("ledger", reversal_proposed(second, entry_of("same")), reversal_proposed(first, entry_of("same")),
                   ended(first, "rejected", "req_0_s"))  # fmt: skip
    request = (await box.post(f"{where}/approval", APPROVE, "same")).body["request_id"]
    with psycopg.connect(box.database.dsn) as connection:
        row = connection.execute("SELECT body->>'proposal_id' FROM request WHERE id = %s", (request,)).fetchone()
    assert row == (second,)


async def test_a_reversal_is_seen_by_its_own_tenant_only(box: Box) -> None:
    where = f"/v1/entries/{entry_of('mine')}/reversal"
    await box.post(where, REVERSAL, "mine")
    assert (await box.get(where, bearer(tenant="other"))).body["items"] == []
    await box.tell("ledger", reversal_proposed("rev_0_mine", entry_of("mine")))
    theirs = await box.post(f"{where}/approval", APPROVE, "mine", bearer(tenant="other"))
    assert (theirs.status, theirs.body["code"]) == (404, "proposal_unknown")


async def test_a_ledger_account_lives_through_its_changes(box: Box) -> None:
    first = await box.post("/v1/ledger-accounts", opening("life"), "life")
    account = first.body["ledger_account_id"]
    where = f"/v1/ledger-accounts/{account}"
    assert (first.status, first.body["status"], first.header("location")) == (202, "accepted", where)
    assert (await box.get(where)).body["status"] == "accepted"
    change = await _change_of(box, account)
    waiting = asyncio.create_task(box.post("/v1/ledger-accounts", opening("life"), "life", Prefer="wait=10"))
    await asyncio.sleep(0.1)
    await box.tell("ledger", change_proposed(change, account, digest="a" * 64))
    told = await asyncio.wait_for(waiting, 5)
    assert (told.status, told.body["status"], told.body["pending"]["change"]) == (202, "proposed", "open")
    assert (await box.get(where)).body["pending"]["approval"]["digest"] == "a" * 64
    yes = await box.post(f"{where}/approval", {**APPROVE, "digest": "a" * 64}, "life-1")
    assert (yes.status, yes.body["subject"]) == (202, account)
    await box.tell(
        "ledger", approved(change, yes.body["request_id"], last=True), account_changed(change, account, "open")
    )
    opened = await box.post("/v1/ledger-accounts", opening("life"), "life")
    assert (opened.status, opened.body["status"], opened.body["pending"]) == (201, "open", None)
    for word, status in (("freeze", "frozen"), ("unfreeze", "open"), ("close", "closed")):
        asked = await box.post(f"{where}/{word}", {}, f"life-{word}")
        assert (asked.status, asked.body["subject"], asked.body["status"]) == (202, account, "accepted")
        change = asked.body["request_id"]
        await box.tell("ledger", change_proposed(change, account, word))
        again = await box.post(f"{where}/{word}", {}, f"life-{word}")
        assert (again.status, again.body["status"]) == (201, "done")
        pending = (await box.get(where)).body["pending"]
        assert (pending["change"], pending["approval"]["needed"]) == (word, 2)
        await box.tell("ledger", account_changed(change, account, status))
        now = (await box.get(where)).body
        assert (now["status"], now["pending"]) == (status, None)
    assert now["position"].startswith("ledger.0.")


async def test_who_asks_for_what_is_open_already_is_told_so_and_the_account_stays_open(box: Box) -> None:
    account = (await box.post("/v1/ledger-accounts", opening("open"), "open-1")).body["ledger_account_id"]
    change = await _change_of(box, account)
    await box.tell("ledger", change_proposed(change, account), account_changed(change, account, "open"))
    again = await box.post("/v1/ledger-accounts", opening("open"), "open-2")
    assert again.body["ledger_account_id"] == account
    await box.tell("ledger", not_allowed(await _change_of(box, account), "ledger_account_exists"))
    told = await box.post("/v1/ledger-accounts", opening("open"), "open-2")
    assert (told.status, told.body["status"], told.body["reason"]) == (201, "refused", "ledger_account_exists")
    shown = (await box.get(f"/v1/ledger-accounts/{account}")).body
    assert (shown["status"], shown["reason"]) == ("open", None)


NEVER_OPENED: list[tuple[list[str], str, str | None]] = [
    (["refuse"], "refused", "decided_elsewhere"),
    (["propose", "rejected"], "rejected", None),
    (["propose", "lapsed"], "lapsed", None),
]


@pytest.mark.parametrize(("acts", "status", "reason"), NEVER_OPENED)
async def test_an_account_that_was_never_opened_says_what_came_of_it(
    box: Box, acts: list[str], status: str, reason: str | None
) -> None:
    body = opening(f"never-{status}")
    account = (await box.post("/v1/ledger-accounts", body, f"never-{status}")).body["ledger_account_id"]
    change = await _change_of(box, account)
    for act in acts:
        match act:
            case "refuse":
                await box.tell("ledger", not_allowed(change, "decided_elsewhere"))
            case "propose":
                await box.tell("ledger", change_proposed(change, account))
            case _:
                await box.tell("ledger", ended(change, act, "req_0_n" if act == "rejected" else None))
    for reply in (await box.post("/v1/ledger-accounts", body, f"never-{status}"),
                  await box.get(f"/v1/ledger-accounts/{account}")):  # fmt: skip
        assert (reply.body["status"], reply.body["reason"], reply.body["pending"]) == (status, reason, None)


async def _page(box: Box, query: str = "") -> list[str]:
    reply: Reply = await box.get(f"/v1/ledger-accounts?limit=100{query}")
    return [one["ledger_account_id"] for one in reply.body["items"]]


async def test_accounts_are_listed_those_proposed_last_first_and_filtered_as_they_are_shown(box: Box) -> None:
    names = [f"gla_0_{number}" for number in range(5)]
    facts = [change_proposed(f"req_0_p{number}", name) for number, name in enumerate(names)]
    await box.tell("ledger", *facts, account_changed("req_0_p0", names[0], "open"),
                   account_changed("req_0_p1", names[1], "closed"), ended("req_0_p2", "rejected", "req_0_n"),
                   ended("req_0_p3", "lapsed"))  # fmt: skip
    assert await _page(box) == names[::-1]
    shown = {status: await _page(box, f"&status={status}") for status in LedgerAccountStatus}
    assert {status: found for status, found in shown.items() if found} == {
        "open": [names[0]], "closed": [names[1]], "rejected": [names[2]], "lapsed": [names[3]], "proposed": [names[4]],
    }  # fmt: skip
    for status, (name,) in ((status, found) for status, found in shown.items() if found):
        assert (await box.get(f"/v1/ledger-accounts/{name}")).body["status"] == status
    assert await _page(box, "&code=5020") == names[::-1]
    assert await _page(box, "&code=1010") == []
    first = (await box.get("/v1/ledger-accounts?limit=3")).body
    rest = (await box.get(f"/v1/ledger-accounts?limit=3&cursor={first['next']}")).body
    assert [one["ledger_account_id"] for one in first["items"] + rest["items"]] == names[::-1]
    assert (await box.get("/v1/ledger-accounts", bearer(tenant="other"))).body["items"] == []


async def test_an_account_that_could_not_be_closed_goes_on_and_says_why(box: Box) -> None:
    account = (await box.post("/v1/ledger-accounts", opening("full"), "full")).body["ledger_account_id"]
    change = await _change_of(box, account)
    await box.tell("ledger", change_proposed(change, account), account_changed(change, account, "open"))
    where = f"/v1/ledger-accounts/{account}"
    change = (await box.post(f"{where}/close", {}, "full-close")).body["request_id"]
    await box.tell("ledger", change_proposed(change, account, "close"), account_changed(change, account, "frozen"))
    assert (await box.get(where)).body["status"] == "frozen"
    await box.tell("ledger", ended(change, "refused", reason="balance_not_zero"),
                   account_changed(change, account, "open"))  # fmt: skip
    shown = (await box.get(where)).body
    assert (shown["status"], shown["reason"], shown["pending"]) == ("open", "balance_not_zero", None)


PLANS = [
    ("reversals", {"entry_id": "ent_7"}, "request_by_subject"),
    ("proposal", {"subject": "ent_7", "digest": "d"}, "proposal_view_by_subject"),
    ("ledger_accounts", {"code": None, "status": None}, "ledger_account_view_by_age"),
]


@pytest.mark.parametrize(("statement", "more", "index"), PLANS)
def test_lists_are_found_by_their_index(database: Database, statement: str, more: dict[str, Any], index: str) -> None:
    parameters = {"tenant": "demo", "before_at": None, "before_id": None, "limit": 51, **more}
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute(
            "INSERT INTO request"
            " (id, tenant, kind, shard, position, root, digest, body, created_at, operation, subject)"
            " SELECT 'rev_' || n, 'demo', 'reversal', 0, n, '', '', '{}',"
            " '2026-01-01'::timestamptz + n * interval '1s', 'o', 'ent_' || n % 100 FROM generate_series(1, 20000) n"
        )
        admin.execute(
            "INSERT INTO proposal_view (proposal_id, tenant, position, status, subject, digest)"
            " SELECT 'rev_' || n, 'demo', n, 'posted', 'ent_' || n % 2000, 'd' FROM generate_series(1, 20000) n"
        )
        admin.execute(
            "INSERT INTO ledger_account_view SELECT 'gla_' || n, 'demo', 0, n, '5020', 's' || n, 'USD', 'open',"
            " '2026-01-01'::timestamptz + n * interval '1s' FROM generate_series(1, 20000) n"
        )
        for table in ("request", "proposal_view", "ledger_account_view"):
            admin.execute(f"ANALYZE {table}".encode())
        plan = plan_of(admin, SQL[statement], parameters)
        admin.rollback()
    assert index in plan.indexes
    assert plan.read_whole == set()
