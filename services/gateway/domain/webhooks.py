"""The card processor's webhook signature, checked on raw bytes in constant time."""

import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_S = 300
MOST_SIGNATURES = 16


class SignatureRefused(ValueError):
    """The header is missing, malformed or too old, or no signature in it is ours; `args[0]` is the error's code."""


def check_signature(header: str | None, body: bytes, secrets: Sequence[bytes], now_s: int, ahead_s: int = 0) -> None:
    """Accept a `Stripe-Signature` (`t=UNIX,v1=HEX[,v1=HEX…]`) or raise SignatureRefused.

    Any `v1` by any of the secrets is enough, because a secret may be under replacement; other schemes are ignored.
    `now_s` is the machine's clock: a signature more than 300 s away from it, either way, is refused. Processors of the
    local stack sign with its own clock, which is `ahead_s` ahead of the machine's (0 outside it).
    """
    if not header:
        raise SignatureRefused("signature_missing")
    second, given = _parts(header)
    if second is None or not given:
        raise SignatureRefused("signature_malformed")
    signed = second.encode() + b"." + body
    held = False
    for secret in secrets:
        ours = hmac.new(secret, signed, hashlib.sha256).hexdigest().encode()
        for theirs in given:
            held |= hmac.compare_digest(ours, theirs)
    if not held:
        raise SignatureRefused("signature_invalid")
    if not now_s - TOLERANCE_S <= int(second) <= now_s + ahead_s + TOLERANCE_S:
        raise SignatureRefused("signature_expired")


def _parts(header: str) -> tuple[str | None, list[bytes]]:
    """Return the time and the `v1` signatures; the time is None where it is no whole number of at most 12 digits."""
    second: str | None = None
    given: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            second = value
        elif name == "v1" and len(given) < MOST_SIGNATURES:
            given.append(value.encode("utf-8", "replace"))
    return second, given
