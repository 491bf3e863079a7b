"""The gateway's HTTP side in one process with a test: real routing, tokens and append; a client that speaks ASGI."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from services.gateway.append import Appender
from services.gateway.config import GatewaySettings
from services.gateway.http.database import Reads, Row
from services.gateway.http.wiring import make_api
from shared.auth.keys import PublicKey
from shared.clock import Clock, SystemClock
from shared.eventlog.bell import Bell
from shared.eventlog.ports import Store
from shared.http.api import Api
from shared.http.system import System

ISSUER = "http://identity.test/piperoll"
WEBHOOK_SECRET = "whsec_test"
RSA_KEY = RSAKey.generate_key(2048)
OTHER_RSA_KEY = RSAKey.generate_key(2048)
EC_KEY = ECKey.generate_key("P-256")


class FixedKeys:
    """The keys that the test's identity provider publishes."""

    def __init__(self) -> None:
        self.keys: dict[str, PublicKey] = {"rsa": RSA_KEY, "ec": EC_KEY}

    async def find(self, kid: str) -> PublicKey | None:
        return self.keys.get(kid)


class NotedPeople:
    """People in memory: the same content keeps its version."""

    def __init__(self) -> None:
        self.noted: dict[tuple[str, str], dict[str, str]] = {}
        self.versions: dict[tuple[str, str, str], list[str]] = {}

    async def put(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        self.noted.setdefault((tenant, member_id), dict(fields))
        return {name: self._version(tenant, member_id, name, content) for name, content in fields.items()}

    def _version(self, tenant: str, member_id: str, name: str, content: str) -> int:
        known = self.versions.setdefault((tenant, member_id, name), [])
        if content not in known:
            known.append(content)
        return known.index(content) + 1

    async def notes(self, tenant: str, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
        return {
            (member, version): self.versions[tenant, member, "note"][version - 1]
            for member, version in wanted
            if (tenant, member, "note") in self.versions
        }


class NoReads(Reads):
    """What is known of requests, in memory; every other question has no rows."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, str, str]] = {}

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        if statement == "known" and parameters["id"] in self.known:
            return [(parameters["id"], *self.known[parameters["id"]])]
        return [(0, 10)] if statement == "ends" else []


class Reply(msgspec.Struct):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)


class Client:
    """Sends requests straight into the application."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def send(self, method: str, path: str, raw: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(key.lower().encode(), value.encode()) for key, value in (headers or {}).items()],
        }
        sent: list[Any] = []
        half = len(raw) // 2
        parts = [
            {"type": "http.request", "body": raw[:half], "more_body": True},
            {"type": "http.request", "body": raw[half:], "more_body": False},
        ]

        async def receive() -> Any:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.api(scope, receive, send)
        if not sent:
            raise ConnectionError("no answer")
        head = [(key.decode(), value.decode()) for key, value in sent[0]["headers"]]
        return Reply(sent[0]["status"], head, sent[1]["body"])

    async def get(self, path: str, bearer: str, **headers: str) -> Reply:
        return await self.send("GET", path, headers={"Authorization": f"Bearer {bearer}", **_dashed(headers)})

    async def post(self, path: str, bearer: str, body: object, key: str | None = "k", **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **_dashed(headers)}
        if key is not None:
            sent["Idempotency-Key"] = key
        return await self.send("POST", path, raw, sent)


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def claims(role: str = "finance", *accounts: str, **changed: Any) -> dict[str, Any]:
    """Return the claims of a good token, with changes; a value of None leaves a claim out."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "sub": f"sub-{role}-{'-'.join(accounts)}",
        "aud": ["piperoll"],
        "iat": now,
        "exp": now + 3600,
        "tenant": "demo",
        "role": role,
        "accounts": list(accounts),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def bearer(role: str = "finance", *accounts: str, **changed: Any) -> str:
    """Return a good token, or one whose claims were changed."""
    return signed(claims(role, *accounts, **changed))


def signed(content: Mapping[str, Any], key: RSAKey | ECKey = RSA_KEY, **head: Any) -> str:
    """Return a token under a key; `head` changes its header, None leaves a name out."""
    header = {"alg": "RS256" if isinstance(key, RSAKey) else "ES256", "kid": "rsa", **head}
    named = {name: value for name, value in header.items() if value is not None}
    return jwt.encode(named, dict(content), key, algorithms=[str(named["alg"])])


def settings(**changed: Any) -> GatewaySettings:
    """Return settings of a test's gateway."""
    values: dict[str, Any] = {
        "postgres_dsn": "",
        "shards": 8,
        "profile": "local",
        "oidc_issuer": ISSUER,
        "card_webhook_secret": WEBHOOK_SECRET,
        "min_position_wait_s": 0.5,
        **changed,
    }
    return GatewaySettings(**values)


class Gateway(msgspec.Struct):
    """A running gateway and its insides."""

    client: Client
    appender: Appender
    reads: Reads
    people: NotedPeople
    bell: Bell
    system: System


@asynccontextmanager
async def gateway(
    store: Store, reads: Reads, chosen: GatewaySettings | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """Run the appender beside the application."""
    chosen = chosen or settings()
    clock = clock or SystemClock()
    appender = Appender(store, clock, chosen.zone, chosen.append_queue)
    people, bell, system = NotedPeople(), Bell(chosen.postgres_dsn, "gateway"), System(reads.answers, "openapi.json")
    api = make_api(chosen, clock, appender, reads, bell, people, FixedKeys(), system)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(appender.run())]
    if chosen.postgres_dsn:
        await reads.open()
        tasks.append(loop.create_task(bell.run()))
    try:
        yield Gateway(Client(api), appender, reads, people, bell, system)
    finally:
        await appender.stop()
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        if chosen.postgres_dsn:
            await reads.close()


LINE = {
    "policy_id": "POL-1",
    "coverage_month": "2027-01",
    "gross_minor": 80_831,
    "aptc_minor": 62_666,
    "state_subsidy_minor": 0,
}


def account_body(number: int = 1, **changed: Any) -> dict[str, Any]:
    return {"name": "Ana Castillo", "email": f"ana-{number}@example.org", "language": "es", **changed}


def invoice_body(account_id: str, **changed: Any) -> dict[str, Any]:
    return {"account_id": account_id, "due_date": "2027-01-01", "currency": "USD", "lines": [LINE], **changed}


def payment_body(account_id: str, invoice_id: str, minor: Any = 18_165, **changed: Any) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "invoice_id": invoice_id,
        "amount": {"minor": minor, "currency": "USD"},
        "method": {"type": "card", "token": "pm_card_visa"},
        **changed,
    }
