"""The whole stack: POST to receipt mail, as fast as it goes, and the latency to the final status at 5 per second."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence

import aiohttp

from deploy.demo.acts import Bill, Household
from deploy.demo.report import percentiles
from deploy.demo.rota import plan
from deploy.demo.scene import OUTCOME_WITHIN_S
from deploy.local.identity import token
from deploy.local.stack import Stack
from tests.bench.machine import RUNS, durable_commits_per_s, record, say

PAYMENTS = 600
AT_ONCE = 64
PACE_PER_S = 5
PACED = 40


def run(stack: Stack) -> list[dict[str, object]]:
    """Return `flow.payments` and `flow.latency.p50`, `.p99`; the baseline is what one connection commits per second."""
    commits = durable_commits_per_s(stack.admin_dsn)
    rates: list[float] = []
    p50s: list[float] = []
    p99s: list[float] = []
    for number in range(RUNS):
        rates.append(asyncio.run(_throughput(stack, 1000 + number)))
        say(f"flow.payments run {number + 1}: {rates[-1]:.0f}/s")
    for number in range(RUNS):
        told = percentiles(asyncio.run(_latencies(stack, 2000 + number)))
        p50s.append(told["p50"])
        p99s.append(told["p99"])
        say(f"flow.latency run {number + 1}: p50 {told['p50']} ms p99 {told['p99']} ms")
    commit_ms = 1000 / commits
    return [
        record("flow.payments", "payments/s", rates, commits),
        record("flow.latency.p50", "ms", p50s, commit_ms, smaller_is_better=True),
        record("flow.latency.p99", "ms", p99s, commit_ms, smaller_is_better=True),
    ]


async def _throughput(stack: Stack, seed: int) -> float:
    """Return payments per second from the first POST to the last receipt's arrival."""
    households = plan(PAYMENTS, seed)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        payer = _Payer(stack, session, seed)
        bodies = await payer.prepare(households)
        before = _mails(stack)
        began = time.perf_counter()
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with room:
                await payer.post(number, bodies[number], wait_s=0)

        await asyncio.gather(*(one(number) for number in range(PAYMENTS)))
        while _mails(stack) - before < PAYMENTS:
            if time.perf_counter() - began > OUTCOME_WITHIN_S:
                raise RuntimeError(f"{_mails(stack) - before} of {PAYMENTS} receipts arrived")
            await asyncio.sleep(0.05)
        return PAYMENTS / (time.perf_counter() - began)


async def _latencies(stack: Stack, seed: int) -> list[float]:
    """Return milliseconds from POST to final status, asked at a steady pace."""
    households = plan(PACED, seed)
    async with aiohttp.ClientSession() as session:
        payer = _Payer(stack, session, seed)
        bodies = await payer.prepare(households)

        async def one(number: int) -> float:
            await asyncio.sleep(number / PACE_PER_S)
            began = time.perf_counter()
            status, told = await payer.post(number, bodies[number], wait_s=30)
            if status != 201 or told["status"] != "settled":
                raise RuntimeError(f"a payment was answered {status} {told}")
            return (time.perf_counter() - began) * 1000

        return list(await asyncio.gather(*(one(number) for number in range(PACED))))


class _Payer:
    """Posts as staff; one session, prepared bodies, so that the client costs little."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession, seed: int) -> None:
        self._url = stack.gateway_url
        self._session = session
        self._seed = seed
        self._bearer = token(stack.issuer, "finance")

    async def prepare(self, households: Sequence[Household]) -> list[dict[str, object]]:
        """Open and bill the households; return the bodies of their payments."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, household: Household) -> dict[str, object]:
            async with room:
                body: dict[str, object] = {
                    "name": household.name, "email": household.email, "language": household.language,
                }  # fmt: skip
                _, account = await self._post("/v1/accounts", body, f"bench-a-{self._seed}-{number}", 30)
                minor = next(act.share_minor for act in household.acts if isinstance(act, Bill))
                line = {"policy_id": f"POL-{self._seed}-{number}", "coverage_month": "2027-01",
                        "gross_minor": minor, "aptc_minor": 0, "state_subsidy_minor": 0}  # fmt: skip
                body = {"account_id": account["account_id"], "due_date": "2027-01-01", "currency": "USD",
                        "lines": [line]}  # fmt: skip
                _, invoice = await self._post("/v1/invoices", body, f"bench-i-{self._seed}-{number}", 30)
                return {
                    "account_id": account["account_id"],
                    "invoice_id": invoice["invoice_id"],
                    "amount": {"minor": minor, "currency": "USD"},
                    "method": {"type": "card", "token": "pm_card_visa"},
                }

        return list(await asyncio.gather(*(one(number, each) for number, each in enumerate(households))))

    async def post(self, number: int, body: dict[str, object], wait_s: int) -> tuple[int, dict[str, object]]:
        return await self._post("/v1/payments", body, f"bench-p-{self._seed}-{number}", wait_s)

    async def _post(self, path: str, body: dict[str, object], key: str, wait_s: int) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {self._bearer}", "Idempotency-Key": key}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        async with self._session.post(self._url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


def _mails(stack: Stack) -> int:
    with urllib.request.urlopen(f"{stack.mail_url}/healthz/ready", timeout=10) as answer:  # noqa: S310
        return int(json.load(answer)["mails"])
