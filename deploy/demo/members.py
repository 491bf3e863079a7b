"""Plays a plan against a gateway through HTTP: each household opens, is billed, pays once; one in ten posts twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from deploy.demo.client import Client, Reply
from deploy.demo.plan import Household
from deploy.local.identity import token

AT_ONCE = 16
OUTCOME_WITHIN_S = 180.0
FINAL = frozenset({"settled", "declined", "refused", "cancelled"})


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What one household came to. `latency_ms` is from the first POST of the payment to its final status."""

    number: int
    account_id: str
    payment_id: str
    status: str
    amount_minor: int
    latency_ms: float
    retried: int


class Unexpected(Exception):
    """The gateway answered what a correct one would not; names request and answer."""


async def play(
    base: str,
    issuer: str,
    households: Sequence[Household],
    seed: int,
    done: Callable[[int], None] = lambda number: None,
) -> list[Played]:
    """Play all households, at most 16 at once, and return what each came to, in order."""
    room = asyncio.Semaphore(AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=AT_ONCE * 2)) as session:
        clerk = Client(session, base, await asyncio.to_thread(token, issuer, "finance"))

        async def one(household: Household) -> Played:
            async with room:
                played = await _play_one(session, base, issuer, clerk, household, seed)
                done(household.number)
                return played

        return list(await asyncio.gather(*(one(household) for household in households)))


async def _play_one(
    session: aiohttp.ClientSession, base: str, issuer: str, clerk: Client, household: Household, seed: int
) -> Played:
    key = f"demo-{seed}-{household.number}"
    account_id = await _created(clerk, "/v1/accounts", _account(household), key, "account_id")
    invoice_id = await _created(clerk, "/v1/invoices", _invoice(household, account_id), key, "invoice_id")
    member = Client(session, base, await asyncio.to_thread(token, issuer, "member", [account_id]))
    body = _payment(household, account_id, invoice_id)
    began = time.perf_counter()
    reply = await member.post("/v1/payments", body, key, wait_s=10)
    payment_id = _field(reply, "/v1/payments", "payment_id")
    status = await _final(member, reply, payment_id)
    latency_ms = (time.perf_counter() - began) * 1000
    retried = await _post_again(member, body, key, payment_id) if household.posts_twice else 0
    return Played(
        number=household.number,
        account_id=account_id,
        payment_id=payment_id,
        status=status,
        amount_minor=household.bill.member_minor,
        latency_ms=latency_ms,
        retried=retried,
    )


async def _created(clerk: Client, path: str, body: dict[str, Any], key: str, name: str) -> str:
    """Post until the thing stands (201) and return its id."""
    reply = await _until(lambda: clerk.post(path, body, key, wait_s=10), lambda reply: reply.status != 202)
    if reply.status != 201:
        raise Unexpected(f"POST {path}: {reply.status} {reply.body}")
    return _field(reply, path, name)


async def _final(member: Client, reply: Reply, payment_id: str) -> str:
    last = await _until(
        lambda: member.get(f"/v1/payments/{payment_id}"),
        lambda reply: reply.body.get("status") in FINAL,
        first=reply,
    )
    return str(last.body["status"])


async def _post_again(member: Client, body: dict[str, Any], key: str, payment_id: str) -> int:
    reply = await member.post("/v1/payments", body, key)
    if reply.body.get("payment_id") != payment_id or not reply.replayed:
        raise Unexpected(f"a repeat of {payment_id} was answered {reply.status} {reply.body}")
    return 1


async def _until(
    ask: Callable[[], Awaitable[Reply]], enough: Callable[[Reply], bool], first: Reply | None = None
) -> Reply:
    deadline = time.monotonic() + OUTCOME_WITHIN_S
    reply = first or await ask()
    wait_s = 0.05
    while not enough(reply):
        if time.monotonic() > deadline:
            raise Unexpected(f"no outcome within {OUTCOME_WITHIN_S:.0f} s: {reply.status} {reply.body}")
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, 1.0)
        reply = await ask()
    return reply


def _field(reply: Reply, path: str, name: str) -> str:
    value = reply.body.get(name)
    if reply.status not in (200, 201, 202) or not isinstance(value, str):
        raise Unexpected(f"POST {path}: {reply.status} {reply.body}")
    return value


def _account(household: Household) -> dict[str, Any]:
    return {"name": household.name, "email": household.email, "language": household.language}


def _invoice(household: Household, account_id: str) -> dict[str, Any]:
    bill = household.bill
    line = {
        "policy_id": bill.policy_id,
        "coverage_month": bill.coverage_month,
        "gross_minor": bill.gross_minor,
        "aptc_minor": bill.aptc_minor,
        "state_subsidy_minor": bill.state_subsidy_minor,
    }
    return {"account_id": account_id, "due_date": bill.due_date, "currency": "USD", "lines": [line]}


def _payment(household: Household, account_id: str, invoice_id: str) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "invoice_id": invoice_id,
        "amount": {"minor": household.bill.member_minor, "currency": "USD"},
        "method": {"type": "card", "token": household.token},
    }
