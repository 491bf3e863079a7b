"""What finance does each morning and evening: days reported, exceptions explained, payouts and statements handed in."""

from typing import Any

from deploy.demo.client import Reply
from deploy.demo.moments import DAY_4, DAY_16, DAY_22, MOMENTS, last_moment_of_day
from deploy.demo.scene import Scene, Unexpected, until

REASONS = {
    "late": "timing",
    "unknown": "timing",
    "missing": "under_investigation",
    "doubled": "processor_error",
    "wrong_amount": "bank_error",
}
DELAYED_PAYOUT, SHOWN_AT, BANK_TAKES_FEE = DAY_4, DAY_16, DAY_22
PROCESSOR = "card"


class Treasury:
    """Finance's part; `kinds` are the kinds of all exceptions seen, by id, each explained when it was found open."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.kinds: dict[str, str] = {}
        self.under_way_minor = 0
        self.was_late = False
        self._keys = 0
        self._first_moment_of_statement = 0

    def _key(self) -> str:
        self._keys += 1
        return f"demo-{self._scene.seed}-treasury-{self._keys}"

    async def day(self, day: str) -> dict[str, dict[str, Any]]:
        """Return a day's figures by account code, ours where there are several, once the ledger has reported it."""
        subs = {"1125": PROCESSOR, "1126": PROCESSOR, "1010": self._scene.bank.account}
        wanted = {"1125"} | ({"1010", "1126"} if self._first_moment_of_statement else set())

        def ours(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
            return {one["account"]: one for one in body["accounts"] if one["sub_key"] == subs[one["account"]]}

        async def ask() -> Reply:
            return await self._scene.clerk.get(f"/v1/reconciliation/days/{day}")

        return ours(await until(ask, lambda body: wanted <= set(ours(body))))

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

    async def explain_all(self) -> None:
        """Give every open exception a reason."""
        for one in await self.exceptions("open"):
            self.kinds[one["id"]] = one["kind"]
            body = {"reason": REASONS[one["kind"]], "note": f"seen by finance in the demo: {one['kind']}"}
            key = self._key()
            path = f"/v1/reconciliation/exceptions/{one['id']}/explanation"

            async def ask(path: str = path, body: dict[str, Any] = body, key: str = key) -> Reply:
                return await self._scene.clerk.post(path, body, key, wait_s=20)

            told = await until(ask, lambda body: body["status"] != "accepted")
            if told["status"] != "done":
                raise Unexpected(f"POST {path}: {told}")

    async def end_day(self, moment: int) -> None:
        """Have the processor pay out, and hand in the bank's statement of the day."""
        payout = await self._scene.processor.pay_out()
        if payout is not None:
            arrives = SHOWN_AT if moment == DELAYED_PAYOUT else moment + 1
            self.was_late |= moment == DELAYED_PAYOUT
            while arrives < len(MOMENTS) and not last_moment_of_day(arrives):
                arrives += 1
            self._scene.bank.payout(arrives, payout)
            self.under_way_minor += payout.minor
        if moment == BANK_TAKES_FEE:
            self._scene.bank.fee(moment)
        await self.hand_in(moment)

    async def hand_in(self, moment: int) -> None:
        """Hand in the statement that ends with a moment; after the last one, of the day that follows."""
        moments = range(self._first_moment_of_statement, moment + 1)
        number = MOMENTS[moment].day if moment < len(MOMENTS) else MOMENTS[-1].day + 1
        body = self._scene.bank.statement(moments, self._scene.calendar.day(number).isoformat())
        self.under_way_minor -= sum(line["amount_minor"] for line in body["lines"] if line["kind"] == "payout")
        key = self._key()

        async def ask() -> Reply:
            return await self._scene.clerk.post("/v1/bank-statements", body, key, wait_s=20)

        told = await until(ask, lambda body: body["status"] != "accepted")
        if told["status"] != "imported":
            raise Unexpected(f"POST /v1/bank-statements: {told}")
        self._first_moment_of_statement = moment + 1
