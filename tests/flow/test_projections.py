"""Projections rebuilt on a running stack, by the operator's commands, while members pay and look."""

import asyncio
import re
import subprocess
import sys
from typing import Any

from services.gateway.projections import PROJECTIONS as OF_GATEWAY
from services.ledger.projections import PROJECTIONS as OF_LEDGER
from tests.flow.conftest import Portal

NAMES = [*(one.name for one in OF_LEDGER), "gateway.balances", "gateway.payments", "notifier.open-notice"]


async def admin(portal: Portal, *arguments: str) -> str:
    """Return what the command says; one that fails is an error with what it said."""
    state = ("--state", str(portal.stack.state))
    command = [sys.executable, "-m", "services.cli", "admin", "projections", *arguments, *state]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_every_projection_is_rebuilt_while_it_answers_and_no_answer_goes_back(portal: Portal) -> None:
    account_id, _ = await portal.household()
    member = portal.client("member", account_id)
    ended = asyncio.Event()
    seen: list[int] = []

    async def look() -> None:
        """A member's own receipts only ever grow, and positions that were given are reached."""
        position = ""
        while not ended.is_set():
            reply = await member.get(f"/v1/accounts/{account_id}{position and f'?min_position={position}'}")
            assert reply.status == 200, reply
            position = reply.body["position"]
            seen.append(len(reply.body["last_payments"]))

    async def pay() -> None:
        while not ended.is_set():
            invoice_id, minor = await portal.bill(account_id)
            reply = await portal.pay(member, account_id, invoice_id, minor)
            await portal.final(member, reply.body["payment_id"])

    going = [asyncio.create_task(work()) for work in (look, pay)]
    try:
        for name in NAMES:
            assert "is rebuilt in version" in await admin(portal, "rebuild", name)
    finally:
        ended.set()
        await asyncio.gather(*going)

    assert seen == sorted(seen)
    for name in NAMES:
        await _same(portal, name)


async def _same(portal: Portal, name: str) -> None:
    said = await admin(portal, "compare", name)
    assert len(set(re.findall(r"(?:live|folded) +([0-9a-f]{64})", said))) == 1, said


async def test_list_names_every_projection_with_its_version_and_where_it_is(portal: Portal) -> None:
    account_id, _ = await portal.household()
    invoice_id, minor = await portal.bill(account_id)
    member = portal.client("member", account_id)
    reply: Any = await portal.pay(member, account_id, invoice_id, minor)
    await portal.final(member, reply.body["payment_id"])

    said = await admin(portal, "list")
    for name in [*NAMES, *(one.name for one in OF_GATEWAY)]:
        assert re.search(rf"^{re.escape(name)}  version \d+  \d+ rows  lag \d+  ", said, re.MULTILINE), said
    assert re.search(r"^ledger\.balances .*ledger\.\d+\.\d+", said, re.MULTILINE)
    assert re.search(r"^gateway\.payments .*billing\.\d+\.\d+.*ledger\.\d+\.\d+", said, re.MULTILINE)
