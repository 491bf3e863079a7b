"""A member's portal follows the account, loses the connection, comes back, and knows all that happened once."""

import asyncio
import json
from typing import Any

import aiohttp

from deploy.local.identity import token
from tests.flow.conftest import Portal
from tests.flow.test_stops import end

ENDS_WITHIN_S = 3.0


class Follower:
    """Reads `/v1/events` as a browser does: it keeps the id of the last event."""

    def __init__(self, portal: Portal, account_id: str) -> None:
        self._session = portal.session
        self._url = portal.stack.gateway_url + "/v1/events"
        self._bearer = token(portal.stack.issuer, "member", (account_id,))
        self.last_id = ""
        self.items: list[dict[str, Any]] = []

    async def read(self, enough: int, begun: asyncio.Event | None = None) -> None:
        """Read until so many events are known or the stream ends; then cut the connection."""
        headers = {"Authorization": f"Bearer {self._bearer}", "Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        async with self._session.get(self._url, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as reply:
            assert (reply.status, reply.content_type) == (200, "text/event-stream")
            async for raw in reply.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.last_id = value
                    if begun is not None:
                        begun.set()
                elif name == "data":
                    self.items.append(json.loads(value))
                    if len(self.items) >= enough:
                        return


async def _story(portal: Portal, account_id: str, *needed: str) -> set[str]:
    """Return the positions of all facts of the account's history, once each needed type or posting rule is in it."""
    client = portal.client("member", account_id)
    async with asyncio.timeout(60):
        while True:
            reply = await client.get(f"/v1/accounts/{account_id}/history?limit=100")
            items = reply.body["items"] if reply.status == 200 else []
            if items and set(needed) <= {word for item in items for word in (item["type"], item["rule"])}:
                return {item["position"] for item in items}
            await asyncio.sleep(0.1)


async def test_a_story_is_followed_over_lost_connections_and_a_gateway_that_starts_again(portal: Portal) -> None:
    account_id, _ = await portal.household()
    before = await _story(portal, account_id)
    follower, begun = Follower(portal, account_id), asyncio.Event()
    following = asyncio.create_task(follower.read(2, begun))
    await asyncio.wait_for(begun.wait(), 10)
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    paid = await portal.pay(member, account_id, invoice_id, due)
    await asyncio.wait_for(following, 30)
    begun.clear()
    following = asyncio.create_task(follower.read(1_000, begun))
    await asyncio.wait_for(begun.wait(), 10)
    assert await end(portal, "gateway-http") < ENDS_WITHIN_S
    await asyncio.wait_for(following, 5)
    await asyncio.to_thread(portal.stack.wait_ready, 60.0)
    assert (await portal.final(member, paid.body["payment_id"]))["status"] == "settled"
    wanted = await _story(portal, account_id, "PR-06", "notifier.notice-sent.v1") - before
    if len(follower.items) < len(wanted):
        await asyncio.wait_for(follower.read(len(wanted)), 30)
    positions = [item["position"] for item in follower.items]
    assert sorted(positions) == sorted(wanted)
    assert "billing.payment-settled.v1" in {item["type"] for item in follower.items}
