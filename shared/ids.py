"""Ids: made from the root of the command that asks for the thing, so that a repeat meets its first.

A root is 14 bytes. The root of a caller's key is a hash of the key and what it belongs to; the root of a
relayed record is its packed place (source, shard, position). An event id is root and index, 16 bytes.
"""

import hashlib
import struct
from typing import Any, NewType

import msgspec

AccountId = NewType("AccountId", str)
InvoiceId = NewType("InvoiceId", str)
PaymentId = NewType("PaymentId", str)
AttemptId = NewType("AttemptId", str)
Root = NewType("Root", bytes)

ROOT_BYTES, ROOT_TEXT = 14, 23
SHORT_INDEX = 1 << 13
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
CROCKFORD_TRIPLES = tuple(a + b + c for a in CROCKFORD for b in CROCKFORD for c in CROCKFORD)
CHECK_SYMBOLS = CROCKFORD + "*~$=u"
SERVICE_CODES = {"gateway": 1, "billing": 2, "ledger": 3, "notifier": 4}
RELAYED = 1
MAX_INDEX = 0xFFFF


def canonical_json(value: Any) -> bytes:
    """Return RFC 8785 bytes of a value made of dicts, lists, strings, integers, booleans and None.

    Floats are refused (TypeError): no request of ours carries one. Keys sort by UTF-16 code units.
    """
    return msgspec.json.encode(_sorted(value))


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value, key=lambda k: k.encode("utf-16-be"))}
        case list() | tuple():
            return [_sorted(item) for item in value]
        case float():
            raise TypeError("a float has no place in a request of ours")
        case _:
            return value


def root_of_key(tenant: str, principal: str, operation: str, account: str | None, key: str) -> Root:
    """Return the root of a caller's idempotency key; a key belongs to a principal, an operation and an account."""
    return Root(hashlib.sha256(canonical_json([tenant, principal, operation, account, key])).digest()[:ROOT_BYTES])


def root_of_record(source: str, shard: int, position: int) -> Root:
    """Return the root of a relayed record: its place, packed so that an index over it grows at one end."""
    return Root(struct.pack(">BBIQ", RELAYED, SERVICE_CODES[source], shard, position))


def event_id(root: bytes, index: int) -> bytes:
    """Return the 16-byte id of a command's `index`-th event (0..65535, else ValueError)."""
    if not 0 <= index <= MAX_INDEX:
        raise ValueError(f"a command writes at most {MAX_INDEX + 1} events")
    return root + index.to_bytes(2, "big")


def digest_of(operation: str, body: bytes | None, *, version: int = 1) -> bytes:
    """Return the SHA-256 that tells a repeat from a conflict: version, operation and the body as sent.

    `body` is the canonical JSON of the body; no defaults are filled in.
    """
    return hashlib.sha256(canonical_json([version, operation]) + b"\n" + (body or b"")).digest()


def content_digest(content: Any) -> str:
    """Return the SHA-256, in hexadecimal, of the canonical JSON of all that somebody is to approve."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def base32(data: bytes) -> str:
    """Return Crockford base 32, lower case, most significant bit first, no padding."""
    if len(data) == ROOT_BYTES:
        return _root_text(data)
    bits = len(data) * 8
    padded = -(-bits // 15) * 15
    number = int.from_bytes(data, "big") << (padded - bits)
    triples = CROCKFORD_TRIPLES
    text = "".join([triples[(number >> shift) & 32_767] for shift in range(padded - 15, -1, -15)])
    return text[: -(-bits // 5)]


def _root_text(root: bytes) -> str:
    """Return `base32` of a root, at half its cost: in two halves that a machine's words hold."""
    number = int.from_bytes(root, "big") << 8
    high, low, t = number >> 60, number & (1 << 60) - 1, CROCKFORD_TRIPLES
    text = (
        f"{t[high >> 45]}{t[high >> 30 & 32_767]}{t[high >> 15 & 32_767]}{t[high & 32_767]}"
        f"{t[low >> 45]}{t[low >> 30 & 32_767]}{t[low >> 15 & 32_767]}{t[low & 32_767]}"
    )
    return text[:ROOT_TEXT]


def event_text(root: bytes, root_text: str, index: int) -> str:
    """Return `base32` of an event id, at little cost where the text of its root is known.

    The root's last two bits share a letter with the first three of the index: it is the root's own below 8,192.
    """
    if 0 <= index < SHORT_INDEX:
        return root_text + CROCKFORD_TRIPLES[index << 2]
    return base32(event_id(root, index))


def bytes_of_base32(text: str, length: int) -> bytes | None:
    """Return the `length` bytes that `base32` wrote so, None where it wrote no such text."""
    if len(text) != -(-length * 8 // 5) or any(letter not in CROCKFORD for letter in text):
        return None
    number = 0
    for letter in text:
        number = number << 5 | CROCKFORD.index(letter)
    spare = len(text) * 5 - length * 8
    return (number >> spare).to_bytes(length, "big") if not number & ((1 << spare) - 1) else None


def account_id(root: bytes) -> AccountId:
    """Return the id of the account that the command with this root opens."""
    return AccountId("acc_" + base32(root))


def thing_id(prefix: str, shard: int, root: bytes) -> str:
    """Return the id of a thing inside a household, `pay_7_…`: its shard stands in it, so that a GET finds its way."""
    return f"{prefix}_{shard}_{base32(root)}"


def shard_of(tenant: str, key: str, shards: int) -> int:
    """Return the shard of a household, carrier or bank account: the same in every service, for life."""
    digest = hashlib.sha256(f"{tenant}\n{key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % shards


def reference_of(root: bytes) -> str:
    """Return what a person reads out: 12 upper-case Crockford characters of the root and a check character."""
    number = int.from_bytes(root[:8], "big") >> 4
    body = "".join(CROCKFORD[(number >> (5 * i)) & 31] for i in range(11, -1, -1))
    return (body + CHECK_SYMBOLS[number % 37]).upper()
