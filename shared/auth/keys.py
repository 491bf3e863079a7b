"""The identity provider's public keys: found by discovery, kept, and fetched again when a token names a new one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from shared.clock import Clock
from shared.errors import WorldFault
from shared.telemetry.logs import logger

log = logger(__name__)

FLOOR_S = 10.0
CEILING_S = 6 * 60 * 60.0
FETCH_TIMEOUT_S = 5.0
MOST_BYTES = 256 * 1024

PublicKey = RSAKey | ECKey
Fetch = Callable[[], Awaitable[list[dict[str, Any]]]]


class IdentityDown(WorldFault):
    """The identity provider cannot be reached, or answers nonsense."""


class Keys(Protocol):
    """Where a verifier finds the key that a token names."""

    async def find(self, kid: str) -> PublicKey | None:
        """Return the key, None where the provider publishes none of this name; IdentityDown if it cannot be asked."""
        ...


class PublishedKeys:
    """Keys by name. An unknown name is looked up afresh, at most once in 10 s; all are, once older than 6 hours."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether any key is known."""
        return bool(self._keys)

    async def find(self, kid: str) -> PublicKey | None:
        now = self._clock.monotonic()
        if kid not in self._keys or now - self._fetched_at >= CEILING_S:
            await self._refresh(kid)
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            now = self._clock.monotonic()
            fresh = now - self._fetched_at < CEILING_S
            if (kid in self._keys and fresh) or now - self._tried_at < FLOOR_S:
                if self._fetched_at == float("-inf"):
                    raise IdentityDown("the identity provider's keys are not known yet")
                return
            self._tried_at = now
            try:
                self._keys = _usable(await self._fetch())
                self._fetched_at = now
            except IdentityDown as error:
                log.warning("keys_not_fetched", error=str(error))
                self._tried_at = now - FLOOR_S + 1.0
                if kid not in self._keys:
                    raise


def _usable(published: list[dict[str, Any]]) -> dict[str, PublicKey]:
    """Return the published signing keys that we accept: RSA of 2,048 bits or more, and elliptic ones on P-256."""
    keys: dict[str, PublicKey] = {}
    for one in published:
        kid = one.get("kid")
        if not isinstance(kid, str) or one.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(one)
        except (JoseError, ValueError, KeyError):
            continue
        strong_rsa = isinstance(key, RSAKey) and key.public_key.key_size >= 2048
        if strong_rsa or (isinstance(key, ECKey) and one.get("crv") == "P-256"):
            keys[kid] = key  # type: ignore[assignment]
    return keys


def discovery(issuer: str) -> Fetch:
    """Return a fetch of the keys that the issuer's discovery document names; the document must be the issuer's own."""

    async def fetch() -> list[dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                document = await _get(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if document.get("issuer") != issuer:
                    raise IdentityDown(f"{issuer} answers as another issuer")
                keys = (await _get(session, str(document.get("jwks_uri")))).get("keys")
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise IdentityDown(f"{issuer}: {error!r}") from error
        if not isinstance(keys, list):
            raise IdentityDown(f"{issuer} publishes no list of keys")
        return [key for key in keys if isinstance(key, dict)]

    return fetch


async def _get(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    async with session.get(address) as answer:
        answer.raise_for_status()
        if (answer.content_length or 0) > MOST_BYTES:
            raise IdentityDown(f"{address} is too large")
        document = await answer.json(content_type=None)
    if not isinstance(document, dict):
        raise IdentityDown(f"{address} is no object")
    return document
