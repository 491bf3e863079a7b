"""GET /v1/balances."""

from collections.abc import Sequence

from services.ledger.http.accounts import Accounts
from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from services.ledger.http.asking import exclude, limit_of, text_of
from services.ledger.http.reads import Reads
from services.ledger.http.resources import Balance, BalancePage
from shared.http.call import Answer, Call
from shared.http.paging import cursor_of_parts, open_parts
from shared.http.problems import Problem
from shared.http.resource import encode
from shared.postgres.binary import int8

_FIRST = ["", "", ""]
_HEAD = ("account_id", "code", "sub_key", "currency", "debit_minor", "credit_minor", "balance_minor")


class Balances:
    """The handler of balances: one query for those of an account."""

    def __init__(self, reads: Reads, accounts: Accounts) -> None:
        self._reads = reads
        self._accounts = accounts

    async def page(self, call: Call) -> Answer:
        """Return a page of balances in the order of code, sub-key and currency."""
        account_id = text_of(call, "account_id")
        if account_id is None:
            raise Problem("filter_missing", "account_id")
        exclude(call, "account_id", "code")
        limit = limit_of(call)
        after = open_parts(call.query.get("cursor"), 3) or _FIRST
        rows = await self._reads.ask(
            "balances_of",
            account_id.encode(),
            call.principal.tenant.encode(),
            *(part.encode() for part in after),
            int8(limit + 1),
        )
        if not rows and after is _FIRST:
            await self._accounts.be_empty(call, account_id)
        items = tuple(
            Balance(
                account_id=account_id,
                code=code,
                sub_key=sub_key,
                currency=currency,
                debit_minor=debit_minor,
                credit_minor=credit_minor,
                balance_minor=debit_minor - credit_minor,
            )
            for code, sub_key, currency, debit_minor, credit_minor, _ in rows[:limit]
        )
        newest = max((row[5] for row in rows), default=0)
        return _answer(call, items, len(rows) > limit, f"ledger.{self._accounts.shard_of(call, account_id)}.{newest}")


def _answer(call: Call, items: Sequence[Balance], more: bool, position: str) -> Answer:
    last = items[-1] if more else None
    cursor = cursor_of_parts(last.code, last.sub_key, last.currency) if last else None
    if wants_csv(call):
        return csv_answer(call, _HEAD, ([getattr(item, name) for name in _HEAD] for item in items), cursor)
    return json_answer(call, encode(BalancePage(items=tuple(items), next=cursor, position=position)))
