"""The card processor's simulator, as the demo makes it behave: trouble, disputes, payouts, its own records."""

from typing import Any

import aiohttp
from msgspec import Struct

from deploy.demo.acts import Trouble
from deploy.demo.model import FEE_OF_DISPUTE_MINOR

HOUR_S, DAY_S = 3_600, 86_400
SETTINGS = {
    "fee_bps": 29,
    "fee_fixed_minor": 30,
    "dispute_fee_minor": FEE_OF_DISPUTE_MINOR,
    "refund_delay_s": HOUR_S,
    "payout_delay_s": DAY_S,
    "available_after_days": 1,
}
ALWAYS = 1_000_000


class Payout(Struct, frozen=True):
    """What the processor sent to our bank."""

    ref: str
    minor: int


class Processor:
    """One simulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def set_up(self) -> None:
        """Set fees and delays."""
        await self._post("settings", SETTINGS)

    async def make_trouble(self, trouble: Trouble, account_id: str) -> None:
        """Have the household's next payment meet trouble."""
        match trouble:
            case "answer_lost":
                await self._fault("confirm", "answer_lost", account_id)
            case "error_after_charge":
                await self._fault("confirm", "error_500_after", account_id)
            case "answer_lost_and_deaf":
                await self._fault("confirm", "answer_lost", account_id)
                await self._fault("retrieve", "request_lost", account_id, ALWAYS)
            case "charged_twice":
                await self._fault("confirm", "charge_twice", account_id)

    async def _fault(self, call: str, fault: str, account_id: str, times: int = 1) -> None:
        match = {"metadata.account_id": account_id}
        await self._post("faults", {"call": call, "fault": fault, "times": times, "match": match})

    async def hide_events(self) -> None:
        """Let nobody read the list of events, by which a charge that nobody asked for is found."""
        await self._post("faults", {"call": "event_list", "fault": "request_lost", "times": ALWAYS})

    async def behave(self) -> None:
        """End all trouble."""
        async with self._session.delete(f"{self._url}/_sim/faults") as answer:
            answer.raise_for_status()

    async def authenticate(self, url: str, outcome: str) -> None:
        """Answer the card's bank at the address to which the member was sent."""
        async with self._session.post(url, json={"outcome": outcome}) as answer:
            answer.raise_for_status()

    async def dispute(self, payment_id: str, *, inquiry: bool) -> str:
        """Have the card holder's bank dispute a payment's charge; return the dispute's name."""
        charges = [one for one in await self._list("charges", payment_id) if one["status"] == "succeeded"]
        opened = await self._post("disputes", {"charge": charges[0]["id"], "inquiry": inquiry})
        return str(opened["id"])

    async def end_dispute(self, dispute: str, outcome: str) -> None:
        """Have a dispute won or lost; an inquiry ends without money moved either way."""
        await self._post(f"disputes/{dispute}", {"outcome": "won" if outcome == "won" else "lost"})

    async def pay_out(self) -> Payout | None:
        """Have all that is available sent to our bank; None where nothing is."""
        async with self._session.post(f"{self._url}/_sim/payouts", json={}) as answer:
            if answer.status == 400:
                return None
            answer.raise_for_status()
            told = await answer.json()
        return Payout(str(told["id"]), int(told["amount"]))

    async def waiting_webhooks(self) -> int:
        """Return how many webhooks are not delivered yet."""
        async with self._session.get(f"{self._url}/_sim/webhooks") as answer:
            answer.raise_for_status()
            return int((await answer.json())["waiting"])

    async def _list(self, what: str, payment_id: str) -> list[dict[str, Any]]:
        async with self._session.get(f"{self._url}/_sim/{what}", params={"payment_id": payment_id}) as answer:
            answer.raise_for_status()
            found: list[dict[str, Any]] = (await answer.json())["data"]
            return found

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self._url}/_sim/{path}", json=body) as answer:
            answer.raise_for_status()
            told: dict[str, Any] = await answer.json()
            return told
