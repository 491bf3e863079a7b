"""Reads what the demo left behind: logs, books, the processor's own record, the mails. Nothing here writes."""

import hashlib
import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg

from deploy.local.stack import Stack
from shared.contracts.envelope import open_fact
from shared.contracts.ledger import EntryPosted
from shared.contracts.topics import SERVICES
from shared.eventlog.packing import unpack

CREDIT_SIGN = {"D": 1, "C": -1}


class Books(msgspec.Struct, kw_only=True):
    """All entries of the ledger, folded once.

    `by_code` is debits less credits, `by_key` the same per code and sub-key; `entries_of` what makes the digest of a
    household: a hash over (rule, account codes, amounts) of its entries in order, the same for the same seed.
    """

    entries: int = 0
    by_code: Counter[str] = msgspec.field(default_factory=Counter)
    by_key: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    entries_of: dict[str, list[tuple[str, list[tuple[str, str, int]]]]] = {}

    @property
    def trial_balance_minor(self) -> int:
        """All debits less all credits; must be 0."""
        return sum(self.by_code.values())

    def digest_of(self, account_id: str) -> str:
        """Return the household's digest, hexadecimal."""
        told = json.dumps(self.entries_of.get(account_id, []), separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()


def read_books(dsn: str, shards: int) -> Books:
    """Fold every entry of every shard of the ledger's log."""
    books = Books()
    for shard in range(shards):
        for data in _events(dsn, shard, EntryPosted.TYPE):
            event = open_fact(data).event
            assert isinstance(event, EntryPosted)
            _fold(books, event)
    return books


def _fold(books: Books, entry: EntryPosted) -> None:
    books.entries += 1
    legs: list[tuple[str, str, int]] = []
    for posting in entry.postings:
        signed = CREDIT_SIGN[posting.side] * posting.amount_minor
        books.by_code[posting.code] += signed
        books.by_key[posting.code, posting.sub_key] += signed
        legs.append((posting.code, posting.side, posting.amount_minor))
    books.entries_of.setdefault(entry.account_id, []).append((entry.rule, legs))


def _events(dsn: str, shard: int, event_type: str) -> Iterator[bytes]:
    with psycopg.connect(dsn) as connection, connection.cursor(name="events") as cursor:
        cursor.execute("SELECT data FROM event WHERE shard = %s AND type = %s ORDER BY position", (shard, event_type))
        for (data,) in cursor:
            yield unpack(data)


def events_by_service(stack: Stack) -> dict[str, int]:
    """Return how many events each log holds."""
    return {service: _number(stack.dsn(service), "SELECT count(*) FROM event") for service in SERVICES}


def parked(stack: Stack) -> int:
    """Return how many parked records wait in all services."""
    return sum(_number(stack.dsn(one), "SELECT count(*) FROM parked WHERE released_at IS NULL") for one in SERVICES)


def _number(dsn: str, query: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


class Charge(msgspec.Struct, frozen=True):
    """A charge in the processor's own store."""

    amount_minor: int
    payment_id: str


def charges(card_url: str) -> list[Charge]:
    """Return every successful charge that the processor's simulator keeps."""
    found = _get(f"{card_url}/_sim/charges")["data"]
    return [
        Charge(int(one["amount"]), one["metadata"].get("payment_id", ""))
        for one in found
        if one["status"] == "succeeded"
    ]


def balance_minor(card_url: str, api_key: str) -> int:
    """Return what the processor holds for us, available and pending."""
    request = urllib.request.Request(f"{card_url}/v1/balance", headers={"Authorization": f"Bearer {api_key}"})  # noqa: S310
    told = _get(request)
    return sum(int(one["amount"]) for state in ("available", "pending") for one in told[state])


def mails(mail_url: str) -> list[dict[str, Any]]:
    """Return the mails that arrived, a repeat of one Message-ID counted once."""
    answer = _get(f"{mail_url}/mails")
    found: list[dict[str, Any]] = answer if isinstance(answer, list) else answer["mails"]
    return found


def _get(url: str | urllib.request.Request) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback addresses of our own stack
        return json.load(answer)
