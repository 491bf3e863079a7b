"""Finance's entry by hand: a fee stood on the wrong account, two people move it, part by part some of it back again."""

from typing import Any

from deploy.demo.books import Books
from deploy.demo.client import Client
from deploy.demo.moments import DAY_25
from deploy.demo.report import Check
from deploy.demo.scene import Posted, Scene, Unexpected, until

TO, FROM = "5030", "5040"
MOVED_MINOR, PART_MINOR, PARTS = 1_200, 300, 2
LEFT_MINOR = MOVED_MINOR - PARTS * PART_MINOR


class Bookkeeper:
    """Plays one story of its own; `failure` is why it stopped."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sub_key = f"demo-{scene.seed}"
        self._keys = 0
        self.failure: str | None = None

    async def play(self, moment: int) -> None:
        """Keep the books on the day on which it is due."""
        if moment == DAY_25:
            try:
                await self._move_a_fee()
            except Exception as error:
                self.failure = f"entries by hand: {error!r}"

    async def _move_a_fee(self) -> None:
        to, _ = [await self._open(code) for code in (TO, FROM)]
        entry = await self._post(MOVED_MINOR)
        where = f"/v1/entries/{entry}/reversal"
        for _ in range(PARTS):
            back = await self._told(where, self._part(PART_MINOR), "awaiting_approval")
            await self._approve(where, back["approval"]["digest"])
        await self._told(where, self._part(LEFT_MINOR + 1), "refused", "reversal_exceeds_entry")
        await self._change(to, "freeze", "frozen")
        await self._told("/v1/journals", self._journal(MOVED_MINOR), "refused", "ledger_account_frozen")
        await self._change(to, "unfreeze", "open")

    async def _open(self, code: str) -> str:
        body = {"code": code, "sub_key": self._sub_key, "currency": "USD"}
        account = await self._told("/v1/ledger-accounts", body, "proposed")
        where = f"/v1/ledger-accounts/{account['ledger_account_id']}"
        await self._approve(where, account["pending"]["approval"]["digest"])
        await until(lambda: self._scene.clerk.get(where), lambda body: bool(body["status"] == "open"))
        return where

    async def _change(self, where: str, change: str, status: str) -> None:
        await self._told(f"{where}/{change}", {}, "done")
        account = (await self._scene.clerk.get(where)).body
        await self._approve(where, account["pending"]["approval"]["digest"])
        await until(lambda: self._scene.clerk.get(where), lambda body: bool(body["status"] == status))

    async def _post(self, minor: int) -> str:
        """Return the entry of a journal that both have approved."""
        journal = await self._told("/v1/journals", self._journal(minor), "awaiting_approval")
        where = f"/v1/journals/{journal['journal_id']}"
        await self._approve(where, journal["approval"]["digest"])
        shown = await until(lambda: self._scene.clerk.get(where), lambda body: bool(body["status"] == "posted"))
        return str(shown["entry_id"])

    async def _approve(self, where: str, digest: str) -> None:
        for person in self._scene.finance.values():
            await self._told(f"{where}/approval", {"digest": digest, "decision": "approve"}, "done", by=person)

    async def _told(
        self, path: str, body: dict[str, Any], status: str, reason: str | None = None, by: Client | None = None
    ) -> dict[str, Any]:
        """Post and return what the ledger has said of it, which must be this."""
        self._keys += 1
        key = f"demo-{self._scene.seed}-books-{self._keys}"
        posted = Posted(by or self._scene.clerk, path, body, key)
        told = await until(posted.again, lambda body: body.get("status") != "accepted")
        if (told["status"], told["reason"]) != (status, reason):
            raise Unexpected(f"POST {path}: {told}")
        return told

    def _journal(self, minor: int) -> dict[str, Any]:
        note = "the fee of a dispute that was the bank's"
        return {**self._dated("correction"), "currency": "USD", "legs": self._legs(minor), "note": note}

    def _part(self, minor: int) -> dict[str, Any]:
        return {**self._dated("correction"), "legs": self._legs(minor)}

    def _dated(self, reason: str) -> dict[str, Any]:
        return {"effective_date": self._scene.day(1), "reason": reason}

    def _legs(self, minor: int) -> list[dict[str, Any]]:
        return [
            {"code": code, "sub_key": self._sub_key, "side": side, "amount_minor": minor}
            for code, side in ((TO, "D"), (FROM, "C"))
        ]

    def check(self, books: Books) -> Check:
        """Return whether the books hold by hand just what was posted and not taken back."""
        found = {code: books.by_key[code, self._sub_key] for code in (TO, FROM)}
        held = self.failure is None and found == {TO: LEFT_MINOR, FROM: -LEFT_MINOR}
        return Check("entries_by_hand_as_approved", held, self.failure or f"{found[TO]} moved, {PARTS} parts back")
