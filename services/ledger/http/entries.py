"""GET /v1/entries: what the log says, found by account, payment, day or id."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from services.ledger.domain.chart import HOUSE_WIDE
from services.ledger.http.accounts import Accounts
from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from services.ledger.http.asking import (
    code_of,
    currency_of,
    day_bytes,
    days_of,
    exclude,
    limit_of,
    place_of,
    text_of,
    thing_parts,
)
from services.ledger.http.found import Found, of_tenant, stream_of
from services.ledger.http.reads import Reads
from shared.contracts.ledger import EntryPosted
from shared.http.call import Answer, Call
from shared.http.paging import cursor_of_parts, open_parts, whole_number
from shared.http.problems import Problem
from shared.ids import bytes_of_base32
from shared.postgres.binary import int4, int8
from shared.postgres.reader import Row

NEWEST = 2**62
MOST_ACCOUNTS = 50
EVENT_ID_BYTES = 16
_HEAD = (
    "entry_id", "position", "recorded_at", "effective_date", "account_id", "rule", "group_id", "cause_type", "cause",
    "payment_id", "invoice_id", "processor_ref", "reference", "case_id", "reverses",
    "code", "sub_key", "currency", "debit_minor", "credit_minor",
)  # fmt: skip
_OF_ENTRY = ("effective_date", "account_id", "rule", "group_id", "cause_type", "cause", "payment_id", "invoice_id",
             "processor_ref", "reference", "case_id", "reverses")  # fmt: skip


class Entries:
    """The handlers of entries. A row is shard, position, what the page is ordered by, and the stored event."""

    def __init__(self, reads: Reads, accounts: Accounts, shards: int) -> None:
        self._reads = reads
        self._accounts = accounts
        self._shards = shards

    async def page(self, call: Call) -> Answer:
        """Return a page of entries, the newest first."""
        exclude(call, "account_id", "payment_id", "code")
        exclude(call, "payment_id", "code")
        if "account_id" in call.query:
            return await self._of_account(call)
        if "payment_id" in call.query:
            return await self._of_payment(call)
        if "code" in call.query:
            return await self._of_code(call)
        if "effective_from" in call.query or "effective_to" in call.query:
            return await self._between(call)
        raise Problem("filter_missing", "account_id")

    async def one(self, call: Call) -> Answer:
        """Return the entry of an id, which names its shard and event."""
        prefix, shard, name = thing_parts(call.params[0])
        event_id = bytes_of_base32(name, EVENT_ID_BYTES) if prefix == "ent" else None
        if event_id is None or not 0 <= shard < self._shards:
            raise Problem("entry_unknown")
        found = of_tenant(call, await self._reads.ask("entry", event_id, shard=shard))
        if not found or found[0].seen.type != EntryPosted.TYPE:
            raise Problem("entry_unknown")
        return csv_answer(call, _HEAD, _lines(found)) if wants_csv(call) else json_answer(call, _json(found[0]))

    async def _of_account(self, call: Call) -> Answer:
        account_id, limit = _needed(call, "account_id"), limit_of(call)
        before = _before(call, "a", NEWEST)
        parameters = [account_id.encode(), int8(before), int8(limit + 1)]
        statement = "entries_of"
        if "effective_from" in call.query or "effective_to" in call.query:
            statement = "entries_of_between"
            parameters += map(day_bytes, days_of(call))
        rows = await self._reads.ask(statement, *parameters, shard=self._accounts.shard_of(call, account_id))
        if before == NEWEST and not of_tenant(call, rows[:1]):
            await self._accounts.be_empty(call, account_id)
        return _page(call, rows, limit, "a")

    async def _of_payment(self, call: Call) -> Answer:
        payment_id, limit = _needed(call, "payment_id"), limit_of(call)
        before = _before(call, "p", NEWEST)
        _, shard, _ = thing_parts(payment_id)
        if not 0 <= shard < self._shards:
            raise Problem("payment_unknown", "payment_id")
        days = map(day_bytes, days_of(call))
        parameters = (payment_id.encode(), call.principal.tenant.encode(), int8(before), int8(limit + 1), *days)
        rows = await self._reads.ask("entries_of_payment", *parameters, shard=shard)
        if not rows and before == NEWEST:
            await self._accounts.be_whole(shard)
            raise Problem("payment_unknown", "payment_id")
        return _page(call, rows, limit, "p")

    async def _between(self, call: Call) -> Answer:
        first, before = _range(call)
        limit = limit_of(call)
        rows = await self._reads.ask(
            "entries_between",
            call.principal.tenant.encode(),
            day_bytes(first),
            day_bytes(before[0]),
            int4(before[1]),
            int8(before[2]),
            int8(limit + 1),
        )
        return _page(call, rows, limit, "d")

    async def _of_code(self, call: Call) -> Answer:
        """Of a house-wide account by its postings; else from the streams of the few accounts that have the sub-key."""
        code, sub_key, limit = code_of(call), text_of(call, "sub_key"), limit_of(call)
        if code is None or sub_key is None:
            raise Problem("filter_missing", "sub_key")
        first, before = _range(call)
        tenant = call.principal.tenant.encode()
        if code in HOUSE_WIDE:
            rows = await self._reads.ask(
                "house_entries",
                tenant,
                code.encode(),
                sub_key.encode(),
                currency_of(call).encode(),
                day_bytes(first),
                day_bytes(before[0]),
                int4(before[1]),
                int8(before[2]),
                int8(limit + 1),
            )
            return _page(call, rows, limit, "d")
        found: list[Found] = []
        rows = await self._reads.ask("accounts_with", code.encode(), sub_key.encode(), int8(MOST_ACCOUNTS))
        for account_id in {row[0] for row in rows}:
            async for one in stream_of(call, self._reads, account_id, self._accounts.shard_of(call, account_id)):
                if any((leg.code, leg.sub_key) == (code, sub_key) for leg in one.entry.postings):
                    day = date.fromisoformat(one.entry.effective_date)
                    if day >= first and (day, one.shard, one.position) < before:
                        found.append(one._replace(order=day))
        found.sort(key=lambda one: (one.order, one.shard, one.position), reverse=True)
        return _told(call, found[:limit], _cursor("d", *found[limit - 1][:3]) if len(found) > limit else None)


def _needed(call: Call, name: str) -> str:
    text = text_of(call, name)
    assert text is not None
    return text


def _range(call: Call) -> tuple[date, tuple[date, int, int]]:
    """Return from which day on, and below which place, entries by day are wanted."""
    first, last = days_of(call)
    before = (last + timedelta(days=1), 0, 0)
    parts = open_parts(call.query.get("cursor"), 4)
    return first, before if parts is None else min(before, place_of(parts[1:]))


def _before(call: Call, kind: str, newest: int) -> int:
    parts = open_parts(call.query.get("cursor"), 2)
    if parts is None:
        return newest
    if parts[0] != kind:
        raise Problem("cursor_invalid", "cursor")
    return whole_number(parts[1])


def _cursor(kind: str, shard: int, position: int, order: Any) -> str:
    if kind == "d":
        return cursor_of_parts(kind, order.isoformat(), str(shard), str(position))
    return cursor_of_parts(kind, str(order))


def _page(call: Call, rows: Sequence[Row], limit: int, kind: str) -> Answer:
    cursor = _cursor(kind, *rows[limit - 1][:3]) if len(rows) > limit else None
    return _told(call, of_tenant(call, rows[:limit]), cursor)


def _told(call: Call, found: Sequence[Found], cursor: str | None) -> Answer:
    if wants_csv(call):
        return csv_answer(call, _HEAD, _lines(found), cursor)
    told = b"null" if cursor is None else b'"%s"' % cursor.encode()
    return json_answer(call, b'{"items":[%s],"next":%s}' % (b",".join(map(_json, found)), told))


def _json(found: Found) -> bytes:
    """Return an entry's JSON: the payload as it is stored, with its place before it."""
    shard, position, _, seen = found
    head = b'{"position":"ledger.%d.%d","recorded_at":"%s",' % (shard, position, seen.recorded_at.encode())
    return head + memoryview(seen.payload)[1:]


def _lines(entries: Sequence[Found]) -> Iterator[Sequence[object]]:
    """Yield one line per posting."""
    for found in entries:
        entry = found.entry
        head = [entry.entry_id, found.place, found.seen.recorded_at]
        head += [getattr(entry, name) for name in _OF_ENTRY]
        for posting in entry.postings:
            debit = posting.amount_minor if posting.side == "D" else 0
            yield [*head, posting.code, posting.sub_key, entry.currency, debit, posting.amount_minor - debit]
