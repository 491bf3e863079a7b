"""Tokens: wrong in each way is refused by its own code, and a role may do what its row says."""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from joserfc.jwk import RSAKey

from services.gateway.errors import PROBLEMS
from shared.auth.keys import FLOOR_S, IdentityDown, PublishedKeys
from shared.auth.roles import Permission, Principal, Role, allows, reaches
from shared.auth.tokens import Tokens, principal_id
from shared.clock import ManualClock, SystemClock, parse_rfc3339
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.http.problems import Problem
from tests.gateway_kit import (
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    FixedKeys,
    Gateway,
    NoReads,
    account_body,
    bearer,
    claims,
    gateway,
    invoice_body,
    signed,
)


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")


def _unsigned() -> str:
    return f"{_part({'alg': 'none', 'kid': 'rsa'})}.{_part(claims())}."


def _by_hs256_with_the_public_key() -> str:
    head = f"{_part({'alg': 'HS256', 'kid': 'rsa'})}.{_part(claims())}"
    secret = RSA_KEY.as_pem(private=False)
    mac = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _altered() -> str:
    head, _, signature = bearer().split(".")
    return f"{head}.{_part(claims('operator'))}.{signature}"


NOW = int(time.time())
WRONG: list[tuple[str, str]] = [
    (_unsigned(), "token_algorithm_refused"),
    (_by_hs256_with_the_public_key(), "token_algorithm_refused"),
    (signed(claims(), alg="RS512"), "token_algorithm_refused"),
    (signed(claims(), EC_KEY, kid="rsa"), "token_algorithm_refused"),
    (signed(claims(), kid=None), "token_key_missing"),
    (signed(claims(), kid="nobody"), "token_key_unknown"),
    (signed(claims(), OTHER_RSA_KEY), "token_signature_invalid"),
    (_altered(), "token_signature_invalid"),
    (bearer(iss="http://evil.test"), "token_issuer_refused"),
    (bearer(iss=None), "token_issuer_refused"),
    (bearer(aud=["other"]), "token_audience_refused"),
    (bearer(aud=None), "token_audience_refused"),
    (bearer(exp=NOW - 60), "token_expired"),
    (bearer(nbf=NOW + 600), "token_not_yet_valid"),
    (bearer(iat=NOW + 600), "token_not_yet_valid"),
    (bearer(exp=None), "token_claims_invalid"),
    (bearer(exp=True), "token_claims_invalid"),
    (bearer(exp=10**400), "token_claims_invalid"),
    (bearer(sub=None), "token_claims_invalid"),
    (bearer(sub=""), "token_claims_invalid"),
    (bearer(tenant=None), "token_claims_invalid"),
    (bearer(tenant="a\x00b"), "token_claims_invalid"),
    (bearer(role="king"), "token_claims_invalid"),
    (signed({name: value for name, value in claims().items() if name != "role"}), "token_claims_invalid"),
    (bearer(accounts=None), "token_claims_invalid"),
    (bearer(accounts="acc_1"), "token_claims_invalid"),
    (f"{_part({'alg': 'RS256', 'kid': 'rsa', 'crit': ['x']})}.{_part(claims())}.x", "token_malformed"),
    (f"{_part({'alg': 'RS256', 'kid': 'rsa', 'crit': None})}.{_part(claims())}.x", "token_malformed"),
    (f"{_part({'alg': 'RS256', 'kid': 'rsa', 'typ': 1})}.{_part(claims())}.x", "token_signature_invalid"),
    ("a.b", "token_malformed"),
    ("a.b.c", "token_malformed"),
    ("..", "token_malformed"),
    ("x" * 9_000, "token_malformed"),
]


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(ISSUER, "piperoll", FixedKeys())


@pytest.mark.parametrize(("token", "code"), WRONG)
async def test_a_wrong_token_is_refused_by_its_own_code(tokens: Tokens, token: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        await tokens.verify(f"Bearer {token}".encode())
    assert (refused.value.code, refused.value.field) == (code, "Authorization")
    assert PROBLEMS[refused.value.code].status == 401
    assert refused.value.headers[0][0] == b"www-authenticate"


@pytest.mark.parametrize("header", [None, b"", b"Basic abc", b"Bearer ", b"token"])
async def test_no_token_is_said_to_be_missing(tokens: Tokens, header: bytes | None) -> None:
    with pytest.raises(Problem, match="token_missing"):
        await tokens.verify(header)


@pytest.mark.parametrize("token", [bearer(), signed(claims(), EC_KEY, kid="ec"), bearer(aud="piperoll")])
async def test_a_good_token_names_its_principal_and_never_its_subject(tokens: Tokens, token: str) -> None:
    principal = await tokens.verify(f"Bearer {token}".encode())
    assert principal.id == principal_id(ISSUER, "sub-finance-")
    assert principal.role is Role.FINANCE
    assert "sub-finance" not in principal.id


async def test_a_verified_token_is_remembered_until_it_expires_and_no_longer() -> None:
    now = [float(NOW)]
    keys = FixedKeys()
    tokens = Tokens(ISSUER, "piperoll", keys, lambda: now[0])
    header = f"Bearer {bearer(iat=NOW, exp=NOW + 100)}".encode()
    assert tokens.known(header) is None
    await tokens.verify(header)
    keys.keys.clear()
    assert tokens.known(header) is not None
    now[0] = NOW + 131.0
    assert tokens.known(header) is None


async def test_an_unknown_key_is_fetched_once_in_a_while() -> None:
    clock = ManualClock(parse_rfc3339("2026-11-24T06:00:00Z"))
    fetched: list[int] = []
    published = [{**RSA_KEY.as_dict(private=False), "kid": "one", "use": "sig"}]

    async def fetch() -> list[dict[str, Any]]:
        fetched.append(1)
        return list(published)

    keys = PublishedKeys(fetch, clock)
    assert await keys.find("one") is not None
    assert await keys.find("two") is None
    assert len(fetched) == 1
    published.append({**EC_KEY.as_dict(private=False), "kid": "two"})
    clock.advance(timedelta(seconds=FLOOR_S))
    assert await keys.find("two") is not None
    assert len(fetched) == 2


@pytest.mark.filterwarnings("ignore:Key size")
async def test_weak_and_foreign_keys_are_not_used() -> None:
    weak = RSAKey.generate_key(1024)
    published: list[dict[str, Any]] = [
        {**weak.as_dict(private=False), "kid": "weak"},
        {**RSA_KEY.as_dict(private=False), "kid": "sealing", "use": "enc"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "RSA", "kid": "broken"},
    ]

    async def fetch() -> list[dict[str, Any]]:
        return published

    keys = PublishedKeys(fetch, SystemClock())
    for kid in ("weak", "sealing", "secret", "broken"):
        assert await keys.find(kid) is None


async def test_an_identity_provider_that_is_away_is_a_fault_of_the_world() -> None:
    async def fetch() -> list[dict[str, Any]]:
        raise IdentityDown("away")

    tokens = Tokens(ISSUER, "piperoll", PublishedKeys(fetch, SystemClock()))
    with pytest.raises(Problem, match="identity_unavailable"):
        await tokens.verify(f"Bearer {bearer()}".encode())


_DAILY = {Permission.READ, Permission.PAY, Permission.OPEN_ACCOUNT, Permission.BILL}
ROWS: list[tuple[Role, set[Permission]]] = [
    (Role.MEMBER, {Permission.READ, Permission.PAY, Permission.REFUND}),
    (Role.ASSISTER, {Permission.READ, Permission.PAY}),
    (Role.SUPPORT, {*_DAILY, Permission.REFUND}),
    (Role.FINANCE, set(Permission)),
    (Role.OPERATOR, {*_DAILY, Permission.KEEP_BOOKS, Permission.READ_BOOKS}),
    (Role.AUDITOR, {Permission.READ, Permission.READ_BOOKS}),
]


@pytest.mark.parametrize(("role", "permissions"), ROWS)
def test_a_role_may_do_what_its_row_says(role: Role, permissions: set[Permission]) -> None:
    assert {permission for permission in Permission if allows(role, permission)} == permissions


def test_every_role_has_a_row() -> None:
    assert {role for role, _ in ROWS} == set(Role)


@pytest.mark.parametrize("role", list(Role))
def test_members_and_assisters_reach_only_the_accounts_of_their_token(role: Role) -> None:
    principal = Principal("prn", "demo", role, frozenset({"acc_mine"}))
    assert reaches(principal, "acc_mine")
    assert reaches(principal, "acc_other") is (role not in (Role.MEMBER, Role.ASSISTER))
    assert reaches(principal, None) is (role not in (Role.MEMBER, Role.ASSISTER))


@pytest.fixture
async def running() -> AsyncIterator[Gateway]:
    async with gateway(MemoryStore(8, mode=Mode.SHARED), NoReads()) as one:
        yield one


@pytest.mark.parametrize("role", ["member", "assister", "auditor"])
async def test_only_staff_open_accounts_and_bill(running: Gateway, role: str) -> None:
    for path, body in (("/v1/accounts", account_body()), ("/v1/invoices", invoice_body("acc_x"))):
        reply = await running.client.post(path, bearer(role, "acc_x"), body)
        assert (reply.status, reply.body["code"]) == (403, "role_not_allowed")


async def test_an_auditor_does_not_pay(running: Gateway) -> None:
    reply = await running.client.post("/v1/payments", bearer("auditor"), {})
    assert (reply.status, reply.body["code"]) == (403, "role_not_allowed")


async def test_nothing_is_told_without_a_token(running: Gateway) -> None:
    reply = await running.client.send("GET", "/v1/accounts/acc_x")
    assert (reply.status, reply.body["code"]) == (401, "token_missing")
    assert reply.header("www-authenticate") == 'Bearer realm="piperoll"'
