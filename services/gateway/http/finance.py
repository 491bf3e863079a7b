"""What finance hands in: cheques of the lockbox, and bank statements."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from services.gateway.domain.payment import FINAL
from services.gateway.domain.reconciliation import bank_stream
from services.gateway.domain.statements import FINAL_STATEMENT
from services.gateway.http.bodies.finance import BankStatementBody, ReceiptBody, check_receipt, check_statement
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.database import Reads
from services.gateway.http.finance_views import FinanceViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.posting import Posting, keyed, posted
from services.gateway.http.things import Sort, Things
from services.gateway.http.views import Views
from services.gateway.http.waiting import Outcomes
from shared.clock import rfc3339
from shared.contracts.gateway import BankLine, BankStatementReceived, CheckReceived
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem
from shared.ids import reference_of, thing_id

STATEMENT = Sort("statement", "stm", "/v1/bank-statements/", FINAL_STATEMENT)


class Receipts:
    """The handler of /v1/receipts: a cheque becomes a payment of its household."""

    def __init__(self, posting: Posting, lookups: Lookups, views: Views, outcomes: Outcomes, zone: ZoneInfo) -> None:
        self._posting = posting
        self._lookups = lookups
        self._views = views
        self._outcomes = outcomes
        self._zone = zone

    async def create(self, call: Call) -> Answer:
        """Commit that a cheque has come."""
        call.key()
        body = parse(ReceiptBody, call.body)
        check_receipt(body, today(call, self._zone))
        wait_s = call.wait_s()
        await self._lookups.account(call.principal, body.account_id, "/account_id")
        if body.invoice_id is not None:
            await self._lookups.part_of(body.account_id, "invoice", body.invoice_id, "/invoice_id")
        identity = keyed(call, "receipts.create", body.account_id)
        shard = self._posting.shard_of(call, body.account_id)
        event = CheckReceived(
            payment_id=thing_id("pay", shard, identity.root),
            reference=reference_of(identity.root),
            account_id=body.account_id,
            invoice_id=body.invoice_id,
            amount_minor=body.amount.minor,
            currency=body.amount.currency,
            bank_account=body.bank_account,
            bank_reference=body.bank_reference,
            received_on=body.received_on,
            received_at=rfc3339(call.received_at),
        )
        appended = await self._posting.append(
            call, identity, shard, "payment", event.payment_id, event.account_id, event, event.reference
        )
        if wait_s:
            await self._outcomes.final(event.payment_id, wait_s)
        payment = await self._views.payment(event.payment_id)
        if payment is None:
            raise Problem("payment_unknown")
        where = "/v1/payments/" + payment.payment_id
        return posted(payment, where, final=payment.status in FINAL, replayed=appended.replayed, waited=wait_s)


class Statements:
    """The handlers of /v1/bank-statements."""

    def __init__(self, things: Things, lookups: Lookups, reads: Reads, views: FinanceViews, zone: ZoneInfo) -> None:
        self._things = things
        self._lookups = lookups
        self._reads = reads
        self._views = views
        self._zone = zone

    async def create(self, call: Call) -> Answer:
        """Commit a statement; each returned cheque in it is told to the household whose payment it was."""
        call.key()
        body = parse(BankStatementBody, call.body)
        lines = await self._addressed(call, check_statement(body, today(call, self._zone)))
        return await self._things.make(
            call,
            STATEMENT,
            "bank-statements.create",
            None,
            self._things.shard_of(call, bank_stream(body.bank_account)),
            lambda statement_id: BankStatementReceived(
                statement_id=statement_id,
                bank_account=body.bank_account,
                day=body.day,
                currency=body.currency,
                opening_minor=body.opening_minor,
                closing_minor=body.closing_minor,
                lines=lines,
                received_at=rfc3339(call.received_at),
            ),
            self._views.statement,
        )

    async def _addressed(self, call: Call, lines: Sequence[BankLine]) -> tuple[BankLine, ...]:
        """Return the lines with the household of each payment that one names: a cheque of this tenant."""
        named = [line.payment_id for line in lines if line.payment_id is not None]
        found = await self._reads.run("cheques", {"ids": named, "tenant": call.principal.tenant}) if named else []
        whose: dict[str, str] = dict(found)
        for number, line in enumerate(lines):
            if line.payment_id is not None and line.payment_id not in whose:
                raise Problem("payment_unknown", f"/lines/{number}/payment_id")
        return tuple(
            line if line.payment_id is None else msgspec.structs.replace(line, account_id=whose[line.payment_id])
            for line in lines
        )

    async def read(self, call: Call) -> Answer:
        """Return a statement."""
        await self._lookups.thing(call.principal, "statement", call.params[0])
        return answer(await self._views.statement(call.params[0]))


def today(call: Call, zone: ZoneInfo) -> date:
    """Return the exchange's day on which a call came."""
    return call.received_at.astimezone(zone).date()
