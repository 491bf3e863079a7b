"""Bearer tokens: pinned algorithms, issuer and audience; a verified one is remembered by its hash until it expires."""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from shared.auth.keys import IdentityDown, Keys
from shared.auth.roles import Principal, Role
from shared.http.problems import Problem
from shared.ids import ROOT_BYTES, base32

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
LEEWAY_S = 30
MOST_TOKEN_BYTES = 8_192
MOST_ACCOUNTS = 10_000
MOST_TENANT = 64
LAST_SECOND = 253_402_300_799  # of the year 9999
REMEMBERED = 20_000
CHALLENGE = ((b"www-authenticate", b'Bearer realm="piperoll", error="invalid_token"'),)
PLAIN_CHALLENGE = ((b"www-authenticate", b'Bearer realm="piperoll"'),)


class _Header(msgspec.Struct):
    alg: str = ""
    kid: str | None = None
    crit: Any = msgspec.UNSET


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    tenant: str
    role: Role
    accounts: list[str]
    nbf: int | float | None = None
    iat: int | float | None = None


class _When(msgspec.Struct):
    """The claims with their own refusals, read before the others."""

    iss: Any = None
    aud: Any = None
    exp: Any = None
    nbf: Any = None
    iat: Any = None


_header = msgspec.json.Decoder(_Header).decode
_when = msgspec.json.Decoder(_When).decode
_claims = msgspec.json.Decoder(_Claims).decode


def principal_id(issuer: str, subject: str) -> str:
    """Return our own id of a person, by which neither the identity provider's name nor the subject can be read."""
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
    return "prn_" + base32(digest[:ROOT_BYTES])


class Tokens:
    """Turns an `Authorization` header into a principal, or raises the Problem with the code of what is wrong.

    Times are the machine's: tokens do not follow the stack's clock.
    """

    def __init__(self, issuer: str, audience: str, keys: Keys, now: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now
        self._remembered: dict[bytes, tuple[float, Principal]] = {}

    def known(self, authorization: bytes) -> Principal | None:
        """Return the principal of a token that was verified before and has not expired; no I/O."""
        found = self._remembered.get(hashlib.sha256(authorization).digest())
        return found[1] if found is not None and found[0] > self._now() else None

    def lasts_s(self, authorization: bytes | None) -> float:
        """Return for how many seconds a token that was verified just now is good, 0 where it is not known here."""
        found = self._remembered.get(hashlib.sha256(authorization or b"").digest())
        return max(0.0, found[0] - self._now()) if found is not None else 0.0

    async def verify(self, authorization: bytes | None) -> Principal:
        """Return the principal of any token that is good."""
        if not authorization:
            raise _refused("token_missing", PLAIN_CHALLENGE)
        principal = self.known(authorization)
        if principal is not None:
            return principal
        scheme, _, raw = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not raw.strip():
            raise _refused("token_missing", PLAIN_CHALLENGE)
        expires_at, principal = await self._check(raw.strip())
        if len(self._remembered) >= REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[hashlib.sha256(authorization).digest()] = (expires_at, principal)
        return principal

    async def _check(self, raw: bytes) -> tuple[float, Principal]:
        header = _read_header(raw)
        if header.alg not in ALGORITHMS:
            raise _refused("token_algorithm_refused")
        if header.kid is None:
            raise _refused("token_key_missing")
        try:
            key = await self._keys.find(header.kid)
        except IdentityDown as error:
            raise Problem("identity_unavailable", headers=((b"retry-after", b"2"),)) from error
        if key is None:
            raise _refused("token_key_unknown")
        if key.key_type != ALGORITHMS[header.alg]:
            raise _refused("token_algorithm_refused")
        try:
            payload = jws.deserialize_compact(raw, key, algorithms=list(ALGORITHMS)).payload
        except (JoseError, ValueError, TypeError) as error:
            raise _refused("token_signature_invalid") from error
        return self._judge(payload)

    def _judge(self, payload: bytes) -> tuple[float, Principal]:
        """Return expiry and principal of a signed payload."""
        try:
            when = _when(payload)
            now = self._now()
            if when.iss != self._issuer:
                raise _refused("token_issuer_refused")
            if self._audience not in (when.aud if isinstance(when.aud, list) else [when.aud]):
                raise _refused("token_audience_refused")
            if _is_number(when.exp) and now >= when.exp + LEEWAY_S:
                raise _refused("token_expired")
            if any(_is_number(at) and at > now + LEEWAY_S for at in (when.nbf, when.iat)):
                raise _refused("token_not_yet_valid")
            claims = _claims(payload)
        except msgspec.DecodeError as error:
            raise _refused("token_claims_invalid") from error
        named = claims.sub and claims.tenant and len(claims.tenant) <= MOST_TENANT and claims.tenant.isprintable()
        if not named or claims.exp > LAST_SECOND or len(claims.accounts) > MOST_ACCOUNTS:
            raise _refused("token_claims_invalid")
        principal = Principal(
            principal_id(claims.iss, claims.sub), claims.tenant, claims.role, frozenset(claims.accounts)
        )
        return float(claims.exp) + LEEWAY_S, principal


def _read_header(raw: bytes) -> _Header:
    parts = raw.split(b".")
    if len(raw) > MOST_TOKEN_BYTES or len(parts) != 3:
        raise _refused("token_malformed")
    try:
        header = _header(base64.urlsafe_b64decode(parts[0] + b"=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _refused("token_malformed") from error
    if header.crit is not msgspec.UNSET:
        raise _refused("token_malformed")
    return header


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(code: str, challenge: tuple[tuple[bytes, bytes], ...] = CHALLENGE) -> Problem:
    return Problem(code, "Authorization", headers=challenge)
