"""What all players share: clients by role, the processor, the bank, the calendar, and who is who."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
from msgspec import Struct

from deploy.demo.bank import Bank
from deploy.demo.client import Client, Reply
from deploy.demo.moments import Calendar
from deploy.demo.processor import Processor
from deploy.local.identity import token

if TYPE_CHECKING:
    from deploy.demo.player import Player

WAIT_S = 20
OUTCOME_WITHIN_S = 120.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.05, 0.5


class Unexpected(Exception):
    """The gateway answered what a correct one would not; names request and answer."""


class Posted(Struct):
    """A POST that made something: by whom, what, under which key; sent again it waits and adds nothing."""

    client: Client
    path: str
    body: dict[str, Any]
    key: str
    id: str = ""

    async def again(self) -> Reply:
        """Ask for the outcome."""
        return await self.client.post(self.path, self.body, self.key, WAIT_S)


class Scene:
    """One demo on one stack."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, issuer: str, card_url: str, calendar: Calendar, seed: int
    ) -> None:
        self._session = session
        self._base = base
        self._issuer = issuer
        self.seed = seed
        self.calendar = calendar
        self.processor = Processor(session, card_url)
        self.bank = Bank(f"trust-{seed}")
        self.finance = {name: self.client("finance", subject=f"finance-{name}") for name in ("ana", "ben")}
        self.support = self.client("support")
        self.players: dict[int, Player] = {}

    @property
    def clerk(self) -> Client:
        """Somebody of finance."""
        return self.finance["ana"]

    def day(self, number: int) -> str:
        """Return the date of a day of the demo."""
        return self.calendar.day(number).isoformat()

    def client(self, role: str, *accounts: str, subject: str = "") -> Client:
        """Return a client with a token of its own."""
        return Client(self._session, self._base, token(self._issuer, role, accounts, subject=subject))


async def until(ask: Callable[[], Awaitable[Reply]], enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the answer is enough, and return it; Unexpected when it never is."""
    deadline = time.monotonic() + OUTCOME_WITHIN_S
    pause_s = FIRST_PAUSE_S
    while True:
        reply = await ask()
        if reply.status >= 400:
            raise Unexpected(f"{reply.status} {reply.body}")
        if enough(reply.body):
            return reply.body
        if time.monotonic() > deadline:
            raise Unexpected(f"not within {OUTCOME_WITHIN_S:.0f} s: {reply.status} {reply.body}")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, MOST_PAUSE_S)


def money(minor: int) -> dict[str, Any]:
    """Return an amount as the API takes it."""
    return {"minor": minor, "currency": "USD"}
