"""Entries by hand through gateway and ledger: proposed, approved by two, posted, taken back; accounts open and shut."""

import asyncio
import itertools
from typing import Any

import pytest

from deploy.demo.books import read_books
from deploy.demo.client import Client, Reply
from tests.flow.conftest import Portal

DAY = "2026-01-15"
_keys = itertools.count(1)


class Finance:
    """Two people of finance who keep the books by hand."""

    def __init__(self, portal: Portal) -> None:
        self.first, self.second = (portal.client("finance", subject=f"books-{name}") for name in ("ana", "ben"))

    async def ask(self, path: str, body: dict[str, Any], key: str = "", by: Client | None = None) -> Reply:
        """Post and return the answer once the ledger has said something."""
        key = key or f"direct-{next(_keys)}"
        async with asyncio.timeout(60):
            while (reply := await (by or self.first).post(path, body, key, wait_s=5)).body["status"] == "accepted":
                pass
        return reply

    async def decide(self, path: str, digest: str, by: Client, decision: str = "approve") -> dict[str, Any]:
        """Decide on a digest and return the request once it is done or refused."""
        return (await self.ask(path, {"digest": digest, "decision": decision}, by=by)).body

    async def approve(self, path: str, digest: str) -> None:
        """Have both approve."""
        for person in (self.first, self.second):
            told = await self.decide(path, digest, person)
            assert told["status"] == "done", told

    async def until(self, path: str, **wanted: Any) -> dict[str, Any]:
        """Return what is read at a path once it has these values."""
        async with asyncio.timeout(60):
            while True:
                body = (await self.first.get(path)).body
                if all(body.get(name) == value for name, value in wanted.items()):
                    return body
                await asyncio.sleep(0.05)

    async def account(self, code: str, sub_key: str) -> str:
        """Open a ledger account and return its id."""
        asked = await self.ask("/v1/ledger-accounts", {"code": code, "sub_key": sub_key, "currency": "USD"})
        assert (asked.status, asked.body["status"], asked.body["pending"]["change"]) == (202, "proposed", "open")
        account: str = asked.body["ledger_account_id"]
        await self.approve(f"/v1/ledger-accounts/{account}/approval", asked.body["pending"]["approval"]["digest"])
        await self.until(f"/v1/ledger-accounts/{account}", status="open", pending=None)
        return account

    async def change(self, account: str, change: str, **wanted: Any) -> None:
        """Have an account frozen, unfrozen or closed."""
        where = f"/v1/ledger-accounts/{account}"
        told = await self.ask(f"{where}/{change}", {})
        assert (told.status, told.body["status"]) == (201, "done"), told
        pending = (await self.first.get(where)).body["pending"]
        assert pending["change"] == change
        await self.approve(f"{where}/approval", pending["approval"]["digest"])
        await self.until(where, pending=None, **wanted)

    async def journal(self, *legs: dict[str, Any], **more: Any) -> Reply:
        return await self.ask("/v1/journals", journal(*legs, **more))

    async def posted(self, *legs: dict[str, Any]) -> dict[str, Any]:
        """Return a journal that both have approved."""
        asked = (await self.journal(*legs)).body
        where = f"/v1/journals/{asked['journal_id']}"
        await self.approve(f"{where}/approval", asked["approval"]["digest"])
        return await self.until(where, status="posted")

    async def take_back(self, entry: str, *legs: dict[str, Any]) -> dict[str, Any]:
        """Return a reversal of parts, or of all that is left, that both have approved."""
        where = f"/v1/entries/{entry}/reversal"
        body = {"effective_date": DAY, "reason": "correction", **({"legs": list(legs)} if legs else {})}
        asked = (await self.ask(where, body)).body
        assert asked["status"] == "awaiting_approval", asked
        await self.approve(f"{where}/approval", asked["approval"]["digest"])
        async with asyncio.timeout(60):
            while True:
                items = (await self.first.get(where)).body["items"]
                (found,) = [one for one in items if one["reversal_id"] == asked["reversal_id"]]
                if found["status"] == "posted":
                    return dict(found)
                await asyncio.sleep(0.05)


def journal(*legs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"effective_date": DAY, "currency": "USD", "reason": "fee", "legs": list(legs), **more}


def leg(side: str, code: str, sub_key: str, minor: int) -> dict[str, Any]:
    return {"code": code, "sub_key": sub_key, "side": side, "amount_minor": minor}


@pytest.fixture
def finance(portal: Portal) -> Finance:
    return Finance(portal)


async def test_an_entry_by_hand_lives_from_its_proposal_to_the_close_of_its_accounts(
    portal: Portal, finance: Finance
) -> None:
    fee, bank = await finance.account("5020", "by-hand"), await finance.account("1010", "by-hand")
    both = (leg("D", "5020", "by-hand", 700), leg("C", "1010", "by-hand", 700))
    key = f"direct-{next(_keys)}"
    asked = await finance.ask("/v1/journals", journal(*both, note="see the bank's letter"), key)
    assert (asked.status, asked.body["status"]) == (202, "awaiting_approval")
    where, digest = f"/v1/journals/{asked.body['journal_id']}", asked.body["approval"]["digest"]
    again = await finance.first.post("/v1/journals", journal(*both, note="see the bank's letter"), key)
    assert (again.status, again.replayed, again.body["journal_id"]) == (202, True, asked.body["journal_id"])
    assert (await finance.decide(f"{where}/approval", digest, finance.first))["status"] == "done"
    twice = await finance.decide(f"{where}/approval", digest, finance.first)
    assert (twice["status"], twice["reason"]) == ("refused", "already_approved")
    wrong = await finance.decide(f"{where}/approval", "0" * 64, finance.second)
    assert (wrong["status"], wrong["reason"]) == ("refused", "digest_differs")
    assert (await finance.first.get(where)).body["status"] == "awaiting_approval"
    assert (await finance.decide(f"{where}/approval", digest, finance.second))["status"] == "done"
    shown = await finance.until(where, status="posted")
    assert (shown["note"], shown["approval"]["given"]) == ("see the bank's letter", 2)
    final = await finance.first.post("/v1/journals", journal(*both, note="see the bank's letter"), key)
    assert (final.status, final.body["entry_id"]) == (201, shown["entry_id"])
    entry = shown["entry_id"]
    part = (leg("D", "5020", "by-hand", 300), leg("C", "1010", "by-hand", 300))
    for _ in range(2):
        back = await finance.take_back(entry, *part)
        assert back["reversing_entry_id"] != entry
    body = {"effective_date": DAY, "reason": "correction", "legs": list(part)}
    much = await finance.ask(f"/v1/entries/{entry}/reversal", body)
    assert (much.status, much.body["status"], much.body["reason"]) == (201, "refused", "reversal_exceeds_entry")
    await finance.change(fee, "freeze", status="frozen")
    cold = await finance.journal(*both)
    assert (cold.status, cold.body["status"], cold.body["reason"]) == (201, "refused", "ledger_account_frozen")
    assert cold.body["field"] == "/legs/0"
    await finance.change(fee, "unfreeze", status="open")
    await finance.change(fee, "close", status="open", reason="balance_not_zero")
    rest = await finance.take_back(entry)
    assert [one["amount_minor"] for one in rest["legs"]] == [100, 100]
    for account in (fee, bank):
        await finance.change(account, "close", status="closed")
    shut = await finance.journal(*both)
    assert (shut.body["status"], shut.body["reason"]) == ("refused", "ledger_account_closed")
    listed = await finance.first.get("/v1/ledger-accounts?status=closed&limit=100")
    assert {fee, bank} <= {one["ledger_account_id"] for one in listed.body["items"]}
    assert read_books(portal.stack.dsn("ledger"), portal.stack.shards).trial_balance_minor == 0


REFUSED = [
    ((leg("D", "1210", "x", 5), leg("C", "1010", "x", 5)), "decided_elsewhere", "/legs/0/code"),
    ((leg("D", "5030", "nobodys", 5), leg("C", "5030", "nobodys", 5)), "ledger_account_unknown", "/legs/0"),
]


@pytest.mark.parametrize(("legs", "reason", "field"), REFUSED)
async def test_what_the_books_do_not_allow_is_a_journal_that_is_refused(
    finance: Finance, legs: tuple[dict[str, Any], ...], reason: str, field: str
) -> None:
    told = await finance.journal(*legs)
    assert (told.status, told.body["status"]) == (201, "refused")
    assert (told.body["reason"], told.body["field"]) == (reason, field)


async def test_one_no_ends_a_proposal(finance: Finance) -> None:
    asked = await finance.ask("/v1/ledger-accounts", {"code": "5040", "sub_key": "no", "currency": "USD"})
    where = f"/v1/ledger-accounts/{asked.body['ledger_account_id']}"
    digest = asked.body["pending"]["approval"]["digest"]
    assert (await finance.decide(f"{where}/approval", digest, finance.second, "reject"))["status"] == "done"
    await finance.until(where, status="rejected", pending=None)
    late = await finance.decide(f"{where}/approval", digest, finance.first)
    assert (late["status"], late["reason"]) == ("refused", "proposal_ended")
