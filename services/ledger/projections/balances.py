"""Balances per household, account code and sub-key; house accounts are sums over households, never a row."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, Posting
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))

Key = tuple[str, str, str, str]


class PostingPart(msgspec.Struct, gc=False):
    """What a balance takes of a posting."""

    code: str
    sub_key: str
    side: str
    amount_minor: int


class EntryPart(msgspec.Struct, gc=False):
    """What a balance takes of an entry."""

    account_id: str
    currency: str
    postings: list[PostingPart]


class Balances:
    """Folds entries into `balance`."""

    name = "ledger.balances"
    version = 1
    tables: Sequence[str] = ("balance",)
    event: type[Event] = EntryPosted
    part: type[msgspec.Struct] = EntryPart

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add up the batch by key and send it as one statement."""
        sums: dict[Key, list[int]] = {}
        entries = [(placed.position, placed.fact.event) for placed in facts]
        self.gather(sums, [(at, entry) for at, entry in entries if isinstance(entry, EntryPosted)])
        send_by_key(cursor, _SQL["add"], sums)

    def gather(self, gathered: dict[Key, list[int]], events: Iterable[tuple[int, EntryPosted | EntryPart]]) -> None:
        """Add entries to sums of debits, of credits and the last position, by key."""
        for position, entry in events:
            account, currency = entry.account_id, entry.currency
            posting: Posting | PostingPart
            for posting in entry.postings:
                key = (account, posting.code, posting.sub_key, currency)
                found = gathered.get(key)
                if found is None:
                    found = gathered[key] = [0, 0, 0]
                found[0 if posting.side == "D" else 1] += posting.amount_minor
                found[2] = position

    def set_aside(self, cursor: psycopg.Cursor[Any], gathered: Mapping[Key, list[int]]) -> None:
        """Copy the sums into a table of the session's own."""
        cursor.execute(_SQL["make_part"])
        with cursor.copy(_SQL["copy_part"]) as copy:
            for key, sums in gathered.items():
                copy.write_row((*key, *sums))

    def put(self, cursor: psycopg.Cursor[Any]) -> None:
        """Add up what was set aside, and add it to the balances in the order of their key."""
        cursor.execute(_SQL["room"])
        cursor.execute(_SQL["add_parts"])
        cursor.execute(_SQL["drop_part"])
