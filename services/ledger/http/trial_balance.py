"""GET /v1/trial-balance."""

from collections.abc import Callable
from datetime import date

import msgspec

from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from services.ledger.http.asking import day_bytes, day_of
from services.ledger.http.reads import Reads
from services.ledger.http.resources import TrialBalance, TrialBalanceRow
from services.ledger.projections.days import Days
from shared.http.call import Answer, Call
from shared.http.resource import encode
from shared.postgres.binary import int4

_HEAD = ("as_of", "code", "currency", "debit_minor", "credit_minor")


class TrialBalances:
    """The handler of trial balances; sums and positions are of one snapshot."""

    def __init__(self, reads: Reads, today: Callable[[], date]) -> None:
        self._reads = reads
        self._today = today

    async def read(self, call: Call) -> Answer:
        """Return the trial balance at a day's end."""
        as_of = day_of(call, "as_of") or self._today()
        tenant = call.principal.tenant.encode()
        rows = await self._reads.ask("trial_balance", tenant, day_bytes(as_of), Days.name.encode(), int4(Days.version))
        lines = tuple(
            TrialBalanceRow(code=code, currency=currency, debit_minor=int(debits), credit_minor=int(credits))
            for code, currency, debits, credits, _ in rows
        )
        if wants_csv(call):
            day = as_of.isoformat()
            told = ((day, line.code, line.currency, line.debit_minor, line.credit_minor) for line in lines)
            return csv_answer(call, _HEAD, told)
        positions = msgspec.json.decode(rows[0][4], type=dict[str, int]) if rows else {}
        return json_answer(call, encode(TrialBalance(as_of=as_of.isoformat(), lines=lines, positions=positions)))
