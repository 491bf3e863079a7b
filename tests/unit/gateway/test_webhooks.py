"""The card processor's webhooks: verified on raw bytes, noted once, never believed."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from services.gateway.domain.webhooks import SignatureRefused, check_signature
from shared.contracts.envelope import open_fact
from shared.contracts.gateway import WebhookReceived
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import EventRow, Mode
from shared.ids import Root, account_id, shard_of
from tests.gateway_kit import WEBHOOK_SECRET, Gateway, NoReads, Reply, gateway

SECRET, OLD_SECRET = b"whsec_new", b"whsec_old"
BODY = b'{"id": "evt_1"}'
NOW = 1_800_000_000


def sign(body: bytes, second: int | str, secret: bytes = SECRET) -> str:
    return hmac.new(secret, f"{second}.".encode() + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW},v1={sign(BODY, NOW)}",
        f"t={NOW - 300},v1={sign(BODY, NOW - 300)}",
        f"t={NOW + 300},v1={sign(BODY, NOW + 300)}",
        f"t={NOW},v1={sign(BODY, NOW, OLD_SECRET)}",
        f"t={NOW},v1=00,v1={sign(BODY, NOW)},v0=zz",
        f" v1={sign(BODY, NOW)} , t={NOW} ",
    ],
)
def test_any_signature_by_any_secret_within_five_minutes_is_good(header: str) -> None:
    check_signature(header, BODY, (SECRET, OLD_SECRET), NOW)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        ("nonsense", "signature_malformed"),
        (f"v1={sign(BODY, NOW)}", "signature_malformed"),
        (f"t={NOW}", "signature_malformed"),
        (f"t=-1,v1={sign(BODY, -1)}", "signature_malformed"),
        (f"t=1e9,v1={sign(BODY, '1e9')}", "signature_malformed"),
        (f"t={NOW},v0={sign(BODY, NOW)}", "signature_malformed"),
        (f"t={NOW},v1={sign(BODY + b' ', NOW)}", "signature_invalid"),
        (f"t={NOW + 1},v1={sign(BODY, NOW)}", "signature_invalid"),
        (f"t={NOW},v1={sign(BODY, NOW, b'other')}", "signature_invalid"),
        (f"t={NOW},v1=\xe9", "signature_invalid"),
        (f"t={NOW - 301},v1={sign(BODY, NOW - 301)}", "signature_expired"),
        (f"t={NOW + 301},v1={sign(BODY, NOW + 301)}", "signature_expired"),
    ],
)
def test_a_wrong_signature_is_refused_by_its_own_code(header: str | None, code: str) -> None:
    with pytest.raises(SignatureRefused, match=code):
        check_signature(header, BODY, (SECRET, OLD_SECRET), NOW)


def test_without_a_secret_nothing_is_good() -> None:
    with pytest.raises(SignatureRefused, match="signature_invalid"):
        check_signature(f"t={NOW},v1={sign(BODY, NOW, b'')}", BODY, (), NOW)


class Box(msgspec.Struct):
    gateway: Gateway
    store: MemoryStore

    async def receive(self, event: object) -> Reply:
        raw = event if isinstance(event, bytes) else msgspec.json.encode(event)
        second = int(time.time())
        header = f"t={second},v1={sign(raw, second, WEBHOOK_SECRET.encode())}"
        headers = {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
        return await self.gateway.client.send("POST", "/webhooks/cards", raw, headers)

    def rows(self) -> list[EventRow]:
        return [row for shard in self.store.shards.values() for row in shard.copies]


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    store = MemoryStore(8, mode=Mode.SHARED)
    async with gateway(store, NoReads()) as running:
        yield Box(running, store)


ACCOUNT = account_id(Root(b"w" * 14))


def event(metadata: dict[str, Any] | None, kind: str = "payment_intent.succeeded", number: int = 1) -> dict[str, Any]:
    seen = {"id": "pi_1", "object": "payment_intent", "amount": 5, "metadata": metadata}
    return {"id": f"evt_{number}", "type": kind, "pending_webhooks": 1, "data": {"object": seen}}


async def test_a_nudge_goes_to_the_household_that_its_object_names(box: Box) -> None:
    sent = event({"account_id": ACCOUNT, "attempt_id": "att_1"})
    reply = await box.receive(sent)
    assert (reply.status, reply.body) == (200, {"received": True})
    (row,) = box.rows()
    noted = open_fact(row.data).event
    assert isinstance(noted, WebhookReceived)
    assert row.shard == shard_of("demo", ACCOUNT, 8)
    assert (noted.account_id, noted.attempt_id, noted.object_id) == (ACCOUNT, "att_1", "pi_1")
    assert noted.body_sha256 == hashlib.sha256(msgspec.json.encode(sent)).hexdigest()
    assert b'"amount"' not in row.data
    assert REQUEST_TABLE not in box.store.side


REQUEST_TABLE = "insert_request"


async def test_a_nudge_without_a_household_goes_by_its_object(box: Box) -> None:
    await box.receive(event(None))
    await box.receive(event({"account_id": "acc_'; DROP"}, number=2))
    for row in box.rows():
        noted = open_fact(row.data).event
        assert isinstance(noted, WebhookReceived)
        assert noted.account_id is None
        assert row.shard == shard_of("demo", "pi_1", 8)


async def test_a_webhook_that_comes_again_adds_nothing_even_if_its_bytes_differ(box: Box) -> None:
    first = event({"account_id": ACCOUNT})
    await box.receive(first)
    reply = await box.receive({**first, "pending_webhooks": 0})
    assert reply.status == 200
    assert len(box.rows()) == 1


async def test_kinds_that_nobody_needs_are_answered_and_forgotten(box: Box) -> None:
    reply = await box.receive(event(None, kind="customer.created"))
    assert reply.status == 200
    assert box.rows() == []


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"id": 5}', b'{"id":"","type":"charge.x","data":{"object":{"id":"c"}}}']
)
async def test_a_signed_body_that_is_no_event_is_refused(box: Box, raw: bytes) -> None:
    reply = await box.receive(raw)
    assert (reply.status, reply.body["code"]) == (400, "webhook_invalid")


async def test_an_unsigned_body_is_refused(box: Box) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await box.gateway.client.send("POST", "/webhooks/cards", msgspec.json.encode(event(None)), headers)
    assert (reply.status, reply.body["code"], reply.body["field"]) == (400, "signature_missing", "Stripe-Signature")


async def test_a_store_that_is_down_makes_the_processor_send_again(box: Box) -> None:
    box.store.down = True
    assert (await box.receive(event(None))).status == 503


def test_a_signature_made_by_the_clock_of_a_local_stack_that_is_ahead_is_good() -> None:
    day_s = 86_400
    header = f"t={NOW + day_s},v1={sign(BODY, NOW + day_s)}"
    check_signature(header, BODY, (SECRET,), NOW, day_s)
    with pytest.raises(SignatureRefused):
        check_signature(header, BODY, (SECRET,), NOW)
