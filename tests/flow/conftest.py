"""One whole stack for all flow tests: real broker, real database, the four services and the processor's simulator."""

import asyncio
import itertools
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.demo.client import Client, Reply
from deploy.local.identity import token
from deploy.local.stack import Stack

FINAL = {"settled", "declined", "refused", "cancelled"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A started stack; its state goes with the test session."""
    with Stack(tmp_path_factory.mktemp("flow")) as running:
        yield running


class Portal:
    """What a flow test does to the stack, from outside only."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.session = session
        self.clerk = self.client("finance")

    def client(self, role: str, *accounts: str, subject: str = "") -> Client:
        bearer = token(self.stack.issuer, role, accounts, subject=subject)
        return Client(self.session, self.stack.gateway_url, bearer)

    async def household(self, language: str = "en") -> tuple[str, str]:
        """Open an account and return (account id, mail address)."""
        number = next(_numbers)
        email = f"flow-{number}@example.org"
        body = {"name": "Ana Castillo", "email": email, "language": language}
        reply = await self._created("/v1/accounts", body, f"flow-account-{number}")
        return reply.body["account_id"], email

    async def bill(self, account_id: str, gross_minor: int = 80_831, aptc_minor: int = 62_666) -> tuple[str, int]:
        """Issue a bill and return (invoice id, what the member owes)."""
        number = next(_numbers)
        line = {"policy_id": f"POL-{number}", "coverage_month": "2027-01", "gross_minor": gross_minor,
                "aptc_minor": aptc_minor, "state_subsidy_minor": 0}  # fmt: skip
        body = {"account_id": account_id, "due_date": "2027-01-01", "currency": "USD", "lines": [line]}
        reply = await self._created("/v1/invoices", body, f"flow-invoice-{number}")
        return reply.body["invoice_id"], gross_minor - aptc_minor

    async def _created(self, path: str, body: dict[str, Any], key: str, within_s: float = 90.0) -> Reply:
        """Post with one key until the thing stands: 202 means that it is not decided yet."""
        async with asyncio.timeout(within_s):
            while (reply := await self.clerk.post(path, body, key, wait_s=5)).status == 202:
                pass
        assert reply.status == 201, reply
        return reply

    async def pay(
        self, member: Client, account_id: str, invoice_id: str, minor: int, card: str = "pm_card_visa", key: str = ""
    ) -> Reply:
        body = payment(account_id, invoice_id, minor, card)
        return await member.post("/v1/payments", body, key or f"flow-payment-{next(_numbers)}")

    async def final(self, member: Client, payment_id: str, within_s: float = 60.0) -> dict[str, Any]:
        """Return the payment once its status is final."""
        return await self.until(member, payment_id, *FINAL, within_s=within_s)

    async def until(self, member: Client, payment_id: str, *statuses: str, within_s: float = 60.0) -> dict[str, Any]:
        """Return the payment once it has one of these statuses."""
        async with asyncio.timeout(within_s):
            while True:
                reply = await member.get(f"/v1/payments/{payment_id}")
                if reply.body.get("status") in statuses:
                    return reply.body
                await asyncio.sleep(0.05)

    def fault(self, call: str, fault: str, account_id: str = "", times: int = 1) -> None:
        """Ask the simulator to misbehave; with `account_id` only for that household's intents."""
        match = {"match": {"metadata.account_id": account_id}} if account_id else {}
        body = json.dumps({"call": call, "fault": fault, "times": times, **match})
        request = urllib.request.Request(  # noqa: S310
            f"{self.stack.card_url}/_sim/faults", body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert answer.status == 201

    def simulated(self, what: str, payment_id: str) -> list[dict[str, Any]]:
        """Return the simulator's own charges or intents of a payment."""
        url = f"{self.stack.card_url}/_sim/{what}?payment_id={payment_id}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)["data"]
            return found

    def mails_to(self, email: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.stack.mail_url}/mails", timeout=10) as answer:  # noqa: S310
            told = json.load(answer)
        mails: list[dict[str, Any]] = told if isinstance(told, list) else told["mails"]
        return [mail for mail in mails if mail["to"] == email]

    async def mail_to(self, email: str, within_s: float = 20.0) -> dict[str, Any]:
        """Return the one mail to an address once it is there."""
        async with asyncio.timeout(within_s):
            while not (found := self.mails_to(email)):
                await asyncio.sleep(0.05)
        (mail,) = found
        return mail


def payment(account_id: str, invoice_id: str, minor: int, card: str = "pm_card_visa") -> dict[str, Any]:
    return {
        "account_id": account_id,
        "invoice_id": invoice_id,
        "amount": {"minor": minor, "currency": "USD"},
        "method": {"type": "card", "token": card},
    }


@pytest.fixture
async def portal(stack: Stack) -> AsyncIterator[Portal]:
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Portal(stack, session)


@pytest.fixture(scope="session")
def build_folder() -> Path:
    folder = Path(__file__).resolve().parents[2] / "build"
    folder.mkdir(exist_ok=True)
    return folder
