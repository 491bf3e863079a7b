"""GET /v1/statements: lines with running balances, made of what the log and the days say when they are asked for."""

from collections.abc import Sequence

from services.ledger.domain.chart import HOUSE_WIDE
from services.ledger.http.accounts import Accounts
from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from services.ledger.http.asking import code_of, currency_of, day_bytes, days_of, exclude, limit_of, place_of, text_of
from services.ledger.http.found import Found, of_tenant, stream_of
from services.ledger.http.reads import Reads
from services.ledger.http.resources import Statement, StatementLine
from shared.contracts.ledger import AccountCode, EntryPosted
from shared.http.call import Answer, Call
from shared.http.paging import cursor_of_parts, open_parts, whole_number
from shared.http.problems import Problem
from shared.http.resource import encode
from shared.postgres.binary import int4, int8

_OWED: dict[str, frozenset[AccountCode]] = {"acc": frozenset({"1210", "1240", "1250", "2110"})}
_HEAD = StatementLine.__struct_fields__


class Statements:
    """The handler of statements."""

    def __init__(self, reads: Reads, accounts: Accounts) -> None:
        self._reads = reads
        self._accounts = accounts

    async def page(self, call: Call) -> Answer:
        """Return a page of lines, the oldest first."""
        account_id, code, sub_key = text_of(call, "account_id"), code_of(call), text_of(call, "sub_key")
        exclude(call, "account_id", "currency", "effective_from", "effective_to")
        if account_id is not None:
            return await self._of_account(call, account_id, code, sub_key)
        if code is None or sub_key is None:
            raise Problem("filter_missing", "account_id" if code is None else "sub_key")
        if code not in HOUSE_WIDE:
            raise Problem("filter_missing", "account_id")
        return await self._of_house(call, code, sub_key)

    async def _of_account(self, call: Call, account_id: str, code: AccountCode | None, sub_key: str | None) -> Answer:
        """Fold the account's own stream from its beginning up to the end of the page."""
        limit = limit_of(call)
        parts = open_parts(call.query.get("cursor"), 2) or ["0", "0"]
        after = whole_number(parts[0]), whole_number(parts[1])
        running = _Running(account_id)
        lines: list[tuple[tuple[int, int], StatementLine]] = []
        is_empty = True
        async for found in stream_of(call, self._reads, account_id, self._accounts.shard_of(call, account_id)):
            is_empty = False
            for ordinal, line in enumerate(running.take(found)):
                wanted = (code is None or line.code == code) and (sub_key is None or line.sub_key == sub_key)
                if wanted and (found.order, ordinal) > after:
                    lines.append(((found.order, ordinal), line))
            if len(lines) > limit:
                break
        if is_empty:
            await self._accounts.be_empty(call, account_id)
        cursor = cursor_of_parts(*map(str, lines[limit - 1][0])) if len(lines) > limit else None
        return _answer(call, [line for _, line in lines[:limit]], cursor)

    async def _of_house(self, call: Call, code: AccountCode, sub_key: str) -> Answer:
        """Go on from what the days before, and the day itself up to the cursor, came to."""
        first, last = days_of(call)
        limit = limit_of(call)
        after = (first, -1, 0)
        parts = open_parts(call.query.get("cursor"), 3)
        if parts is not None:
            after = max(after, place_of(parts))
        rows = await self._reads.ask(
            "house_statement",
            call.principal.tenant.encode(),
            code.encode(),
            sub_key.encode(),
            currency_of(call).encode(),
            day_bytes(after[0]),
            int4(after[1]),
            int8(after[2]),
            day_bytes(last),
            int8(limit + 1),
        )
        lines, balance = [], int(rows[0][0]) if rows else 0
        for _, _, shard, position, debit_minor, credit_minor, data in rows[:limit]:
            [found] = of_tenant(call, [(shard, position, None, data)])
            balance += debit_minor - credit_minor
            lines.append(_line(found, code, sub_key, debit_minor, credit_minor, balance, None))
        if len(rows) <= limit:
            return _answer(call, lines, None)
        _, day, shard, position, *_ = rows[limit - 1]
        return _answer(call, lines, cursor_of_parts(day.isoformat(), str(shard), str(position)))


class _Running:
    """The balances of an account's stream after each posting."""

    def __init__(self, account_id: str) -> None:
        self._owed_codes = _OWED.get(account_id.partition("_")[0])
        self._balances: dict[tuple[str, str, str], int] = {}
        self._owed: dict[str, int] = {}

    def take(self, found: Found) -> list[StatementLine]:
        """Return the lines of the next entry."""
        entry, lines = found.entry, []
        for posting in entry.postings:
            minor = posting.amount_minor if posting.side == "D" else -posting.amount_minor
            key = (posting.code, posting.sub_key, entry.currency)
            balance = self._balances[key] = self._balances.get(key, 0) + minor
            owed = self._owed_after(posting.code, entry.currency, minor)
            lines.append(_line(found, posting.code, posting.sub_key, max(minor, 0), max(-minor, 0), balance, owed))
        return lines

    def _owed_after(self, code: AccountCode, currency: str, minor: int) -> int | None:
        if self._owed_codes is None:
            return None
        if code in self._owed_codes:
            self._owed[currency] = self._owed.get(currency, 0) + minor
        return self._owed.get(currency, 0)


def _line(
    found: Found, code: AccountCode, sub_key: str, debit_minor: int, credit_minor: int, balance: int, owed: int | None
) -> StatementLine:
    entry: EntryPosted = found.entry
    return StatementLine(
        position=found.place,
        recorded_at=found.seen.recorded_at,
        effective_date=entry.effective_date,
        entry_id=entry.entry_id,
        account_id=entry.account_id,
        rule=entry.rule,
        code=code,
        sub_key=sub_key,
        currency=entry.currency,
        debit_minor=debit_minor,
        credit_minor=credit_minor,
        balance_minor=balance,
        owed_minor=owed,
    )


def _answer(call: Call, lines: Sequence[StatementLine], cursor: str | None) -> Answer:
    if wants_csv(call):
        return csv_answer(call, _HEAD, ([getattr(line, name) for name in _HEAD] for line in lines), cursor)
    return json_answer(call, encode(Statement(items=tuple(lines), next=cursor)))
