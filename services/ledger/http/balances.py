"""GET /v1/balances."""

from collections.abc import Sequence

from services.ledger.domain.chart import HOUSE_WIDE
from services.ledger.http.accounts import Accounts
from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from services.ledger.http.asking import code_of, exclude, limit_of, text_of
from services.ledger.http.reaching import Reaching
from services.ledger.http.reads import Reads
from services.ledger.http.resources import Balance, BalancePage
from shared.contracts.ledger import AccountCode
from shared.http.call import Answer, Call
from shared.http.paging import cursor_of_parts, open_parts
from shared.http.problems import Problem
from shared.http.resource import encode
from shared.postgres.binary import int8

MOST_ACCOUNTS = 50
_FIRST = ["", "", ""]
_HEAD = ("account_id", "code", "sub_key", "currency", "debit_minor", "credit_minor", "balance_minor")


class Balances:
    """The handler of balances: one query for those of an account."""

    def __init__(self, reads: Reads, accounts: Accounts, reaching: Reaching) -> None:
        self._reads = reads
        self._accounts = accounts
        self._reaching = reaching

    async def page(self, call: Call) -> Answer:
        """Return a page of balances in the order of code, sub-key and currency."""
        account_id, code = text_of(call, "account_id"), code_of(call)
        exclude(call, "account_id", "code")
        if account_id is not None:
            return await self._of_account(call, account_id)
        if code is not None:
            return await self._of_code(call, code)
        raise Problem("filter_missing", "account_id")

    async def _of_account(self, call: Call, account_id: str) -> Answer:
        limit = limit_of(call)
        after = open_parts(call.query.get("cursor"), 3) or _FIRST
        await self._accounts.check(call, account_id)
        rows = await self._reads.ask(
            "balances_of", account_id.encode(), *(part.encode() for part in after), int8(limit + 1)
        )
        if not rows and after is _FIRST:
            await self._accounts.be_empty(call, account_id)
        items = [_balance(account_id, *row[:5]) for row in rows[:limit]]
        newest = max((row[5] for row in rows), default=0)
        return _answer(call, items, len(rows) > limit, f"ledger.{self._accounts.shard_of(call, account_id)}.{newest}")

    async def _of_code(self, call: Call, code: AccountCode) -> Answer:
        """Sum over all accounts. The positions are read before the sums, which are then at least as new."""
        sub_key, limit = text_of(call, "sub_key"), limit_of(call)
        after = open_parts(call.query.get("cursor"), 3) or _FIRST
        position = await self._reaching.position()
        if code not in HOUSE_WIDE:
            if sub_key is None:
                raise Problem("filter_missing", "sub_key")
            return _answer(call, await self._of_few(call, code, sub_key), False, position)
        rows = await self._reads.ask(
            "house_sums_of_code" if sub_key is None else "house_sums_of_sub_key",
            code.encode(),
            call.principal.tenant.encode(),
            (after[1] if sub_key is None else sub_key).encode(),
            after[2].encode(),
            int8(limit + 1),
        )
        items = [_balance(None, code, row[0], row[1], int(row[2]), int(row[3])) for row in rows[:limit]]
        return _answer(call, items, len(rows) > limit, position)

    async def _of_few(self, call: Call, code: AccountCode, sub_key: str) -> list[Balance]:
        """Add up what the few accounts of the tenant that have a sub-key hold of it."""
        sums: dict[str, list[int]] = {}
        rows = await self._reads.ask("accounts_with", code.encode(), sub_key.encode(), int8(MOST_ACCOUNTS))
        for account_id, currency, debit_minor, credit_minor in rows:
            if await self._accounts.is_own(call, account_id):
                both = sums.setdefault(currency, [0, 0])
                both[0] += debit_minor
                both[1] += credit_minor
        return [_balance(None, code, sub_key, currency, *sums[currency]) for currency in sorted(sums)]


def _balance(
    account_id: str | None, code: AccountCode, sub_key: str, currency: str, debit_minor: int, credit_minor: int
) -> Balance:
    return Balance(
        account_id=account_id,
        code=code,
        sub_key=sub_key,
        currency=currency,
        debit_minor=debit_minor,
        credit_minor=credit_minor,
        balance_minor=debit_minor - credit_minor,
    )


def _answer(call: Call, items: Sequence[Balance], more: bool, position: str) -> Answer:
    last = items[-1] if more else None
    cursor = cursor_of_parts(last.code, last.sub_key, last.currency) if last else None
    if wants_csv(call):
        return csv_answer(call, _HEAD, ([getattr(item, name) for name in _HEAD] for item in items), cursor)
    return json_answer(call, encode(BalancePage(items=tuple(items), next=cursor, position=position)))
