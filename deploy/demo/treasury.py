"""What finance does each morning and evening: days reported, exceptions explained, payouts and statements handed in."""

import asyncio
import time
from typing import Any

from deploy.demo.client import Reply
from deploy.demo.moments import DAY_4, DAY_16, DAY_22, MOMENTS, last_moment_of_day
from deploy.demo.scene import MOST_PAUSE_S, OUTCOME_WITHIN_S, Posted, Scene, Unexpected, until

REASONS = {
    "late": "timing",
    "unknown": "timing",
    "missing": "under_investigation",
    "doubled": "processor_error",
    "wrong_amount": "bank_error",
}
DELAYED_PAYOUT, SHOWN_AT, BANK_TAKES_FEE = DAY_4, DAY_16, DAY_22
PROCESSOR = "card"
NOT_REPORTED = Reply(200, replayed=False, body={"accounts": []})


class Treasury:
    """Finance's part; `kinds` are the kinds of all exceptions seen, by id, each explained when it was found open."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.kinds: dict[str, str] = {}
        self.under_way_minor = 0
        self.late_minor = 0
        self.had_late_payout = False
        self._keys = 0
        self._first_moment_of_statement = 0

    async def _posted(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post and return what came of it."""
        self._keys += 1
        posted = Posted(self._scene.clerk, path, body, f"demo-{self._scene.seed}-treasury-{self._keys}")
        return await until(posted.again, lambda body: body["status"] != "accepted")

    async def figures(self, yesterday: str, statement_day: str | None) -> dict[str, dict[str, Any]]:
        """Return the newest figures by account code, once the ledger has reported them.

        The processor reports every day, the bank only those on which there was a statement.
        """
        found = await self._day(yesterday, {"1125": PROCESSOR, "1126": PROCESSOR})
        if statement_day is not None:
            found |= await self._day(statement_day, {"1010": self._scene.bank.account})
        return found

    async def _day(self, day: str, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
        def ours(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
            return {one["account"]: one for one in body["accounts"] if wanted.get(one["account"]) == one["sub_key"]}

        async def ask() -> Reply:
            reply = await self._scene.clerk.get(f"/v1/reconciliation/days/{day}")
            return NOT_REPORTED if reply.status == 404 else reply

        return ours(await until(ask, lambda body: set(ours(body)) == set(wanted)))

    async def begin_day(self, yesterday: str, statement_day: str | None) -> None:
        """Wait for yesterday's figures and for just the exceptions that they count, and explain each without reason.

        A payout may have become late since the figures.
        """
        deadline = time.monotonic() + OUTCOME_WITHIN_S
        while True:
            figures = await self.figures(yesterday, statement_day)
            listed = [one for state in ("open", "explained") for one in await self.exceptions(state)]
            unlike = [account for account, one in figures.items() if not self._fits(one, listed)]
            if not unlike:
                return await self._explain(listed)
            if time.monotonic() > deadline:
                raise Unexpected(f"exceptions of {unlike} should be those of {figures}; there are {listed}")
            await asyncio.sleep(MOST_PAUSE_S)

    def _fits(self, figures: dict[str, Any], listed: list[dict[str, Any]]) -> bool:
        of_account = [one for one in listed if one["account"] == figures["account"]]
        found = (len(of_account), sum(abs(one["minor"]) for one in of_account))
        buckets = figures["open_exceptions"]
        counted = (sum(one["count"] for one in buckets), sum(one["minor"] for one in buckets))
        late = (1, self.late_minor) if figures["account"] == "1126" and self.late_minor else counted
        return found in (counted, late)

    async def exceptions(self, state: str) -> list[dict[str, Any]]:
        """Return all exceptions in a state."""
        found: list[dict[str, Any]] = []
        path = f"/v1/reconciliation/exceptions?state={state}&limit=100"
        cursor = ""
        while True:
            reply = await self._scene.clerk.get(path + cursor)
            if reply.status != 200:
                raise Unexpected(f"GET {path}: {reply.status} {reply.body}")
            found += reply.body["items"]
            if reply.body["next"] is None:
                return found
            cursor = f"&cursor={reply.body['next']}"

    async def _explain(self, found: list[dict[str, Any]]) -> None:
        for one in found:
            self.kinds[one["id"]] = one["kind"]
            if one["state"] == "open":
                body = {"reason": REASONS[one["kind"]], "note": f"seen by finance in the demo: {one['kind']}"}
                path = f"/v1/reconciliation/exceptions/{one['id']}/explanation"
                told = await self._posted(path, body)
                if told["status"] != "done":
                    raise Unexpected(f"POST {path}: {told}")

    async def end_day(self, moment: int) -> None:
        """Have the processor pay out, and hand in the bank's statement of the day."""
        payout = await self._scene.processor.pay_out()
        if payout is not None:
            arrives = moment + 1
            if moment == DELAYED_PAYOUT:
                self.late_minor, self.had_late_payout = payout.minor, True
                arrives = SHOWN_AT
            while arrives < len(MOMENTS) and not last_moment_of_day(arrives):
                arrives += 1
            self._scene.bank.payout(arrives, payout)
            self.under_way_minor += payout.minor
        if moment == SHOWN_AT:
            self.late_minor = 0
        if moment == BANK_TAKES_FEE:
            self._scene.bank.fee(moment)
        await self.hand_in(moment)

    async def hand_in(self, moment: int) -> None:
        """Hand in the statement that ends with a moment; after the last one, of the day that follows."""
        moments = range(self._first_moment_of_statement, moment + 1)
        number = MOMENTS[moment].day if moment < len(MOMENTS) else MOMENTS[-1].day + 1
        for body in self._scene.bank.statement(moments, self._scene.day(number)):
            self.under_way_minor -= sum(line["amount_minor"] for line in body["lines"] if line["kind"] == "payout")
            told = await self._posted("/v1/bank-statements", body)
            if told["status"] != "imported":
                raise Unexpected(f"POST /v1/bank-statements: {told}")
        self._first_moment_of_statement = moment + 1
