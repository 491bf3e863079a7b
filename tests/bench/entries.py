"""A ledger's log filled fast: valid envelopes, gapless versions, the right Merkle head, by COPY."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor
from shared.contracts.ledger import AccountCode, EntryPosted, Posting
from shared.eventlog.append_rows import copy_buffer
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import EventRow
from shared.ids import event_id, root_of_record, shard_of
from tests.bench.machine import say

TENANT = "demo"
AT_ONCE = 20_000
MINOR = 1_250


def account_of(number: int) -> str:
    """Return the id of a household."""
    return f"acc_{number:023d}"


def accounts_of(households: int, shard: int = 0, shards: int = 1) -> list[str]:
    """Return those of the first so many households that are the shard's."""
    accounts = map(account_of, range(households))
    return [account for account in accounts if shards == 1 or shard_of(TENANT, account, shards) == shard]


def entry_rows(first: int, count: int, accounts: Sequence[str], shard: int = 0) -> list[EventRow]:
    """Return entries of four postings at positions from `first`, the households in turn."""
    before, rows = _template(), []
    for position in range(first, first + count):
        account, version = accounts[position % len(accounts)], (position - 1) // len(accounts) + 1
        identity = event_id(root_of_record("billing", shard, position), 0)
        digits, versions = b"%026d" % position, b"%d" % version
        household, hexadecimal = account.encode(), identity.hex().encode()
        filled = (household, digits, versions, hexadecimal)
        data = b"".join([part if isinstance(part, bytes) else filled[part] for part in before])
        rows.append(EventRow(shard, position, account, version, identity, EntryPosted.TYPE, data))
    return rows


def _template() -> list[bytes | int]:
    """Return an entry's envelope in pieces: bytes that stay, and the number of what is filled in between."""
    legs: tuple[tuple[AccountCode, str], ...] = (
        ("2110", "ACCOUNT"), ("2210", "POL-000001/2027-01"), ("1210", "ACCOUNT/POL-000001/2027-01"),
        ("2220", "POL-000001"),
    )  # fmt: skip
    entry = EntryPosted(
        account_id="ACCOUNT", entry_id="ent_0_NUMBER", group_id="grp_0_NUMBER", rule="PR-06",
        cause_type="billing.payment-allocated.v1", cause="billing.0.NUMBER", payment_id="pay_0_NUMBER",
        invoice_id="inv_0_0000000000000000000000", effective_date="2027-01-04", currency="USD",
        postings=tuple(
            Posting(code=code, sub_key=sub_key, side="D" if number < 2 else "C", amount_minor=MINOR)
            for number, (code, sub_key) in enumerate(legs)
        ),
    )  # fmt: skip
    envelope = Envelope(
        tenant=TENANT, event_id="IDENTITY", type=EntryPosted.TYPE, stream="ACCOUNT", version=987654321,
        recorded_at="2027-01-04T15:00:00.000000Z", effective_date="2027-01-04", actor=Actor("system", "billing"),
        correlation="req_0_NUMBER", causation="IDENTITY", payload=encode_event(entry),
    )  # fmt: skip
    pieces: list[bytes | int] = [seal(envelope)]
    for number, hole in enumerate((b"ACCOUNT", b"NUMBER", b"987654321", b"IDENTITY")):
        pieces = [piece for whole in pieces for piece in _cut(whole, hole, number)]
    return pieces


def _cut(whole: bytes | int, hole: bytes, number: int) -> Iterator[bytes | int]:
    if isinstance(whole, int):
        yield whole
        return
    first, *others = whole.split(hole)
    yield first
    for other in others:
        yield number
        yield other


def filled_store(dsn: str, events: int, accounts: Sequence[str], shard: int = 0) -> None:
    """Fill a shard up to `events` events of its households; `dsn` is the superuser's on the ledger's database.

    One that is filled already stays as it is, so that benches share it.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT next_position, head FROM shard WHERE shard = %s", (shard,)).fetchone()
        assert found is not None
        position, head = found
        if position > events:
            return
        connection.execute("SET synchronous_commit = off")
        while position <= events:
            rows = entry_rows(position, min(AT_ONCE, events - position + 1), accounts, shard)
            head = extend(head, position - 1, [leaf_hash(row.data) for row in rows])
            position += len(rows)
            _store(connection, rows, position, head)
            if position % 1_000_000 < AT_ONCE or position > events:
                say(f"filled: {position - 1:,} events of shard {shard}")
        connection.execute(f"VACUUM ANALYZE event_{int(shard)}")
        connection.execute("CHECKPOINT")


def _store(connection: psycopg.Connection[Any], rows: Sequence[EventRow], position: int, head: bytes) -> None:
    shard = rows[0].shard
    with connection.transaction():
        with connection.cursor().copy(f"COPY event_{int(shard)} FROM STDIN (FORMAT binary)") as copy:
            copy.write(copy_buffer(rows))
        connection.execute(
            "UPDATE shard SET next_position = %s, head = %s, recorded_at = '2027-01-04T15:00:00Z' WHERE shard = %s",
            (position, head, shard),
        )
