"""Answers to questions: the request's own row joined with what the projections know, as resources."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.gateway.domain.payment import AccountStatus, PaymentStatus, account_status
from services.gateway.http.database import Reads, Row
from services.gateway.http.resources.household import (
    Account,
    AllocationView,
    Balance,
    Balances,
    HistoryPage,
    Invoice,
    InvoicePage,
    Payment,
    PaymentPage,
    Receipt,
)
from services.gateway.http.rows import history_item, invoice_of, payment_of
from shared.clock import rfc3339
from shared.contracts.topics import BILLING_EVENTS_TOPIC, LEDGER_EVENTS_TOPIC, NOTIFIER_EVENTS_TOPIC
from shared.http.paging import at_and_id, cursor_of, open_cursor, whole_number
from shared.http.positions import Place, places_text
from shared.http.problems import Problem

LAST_PAYMENTS = 5
SOURCE_OF = {BILLING_EVENTS_TOPIC: "billing", LEDGER_EVENTS_TOPIC: "ledger", NOTIFIER_EVENTS_TOPIC: "notifier"}
RETRY_SOON = ((b"retry-after", b"1"),)


class Views:
    """Reads resources; whether the caller may see them is asked before."""

    def __init__(self, reads: Reads, zone: ZoneInfo) -> None:
        self._reads = reads
        self._zone = zone

    async def payment(self, payment_id: str) -> Payment | None:
        rows = await self._reads.run("payment", {"id": payment_id})
        return payment_of(rows[0]) if rows else None

    async def invoice(self, invoice_id: str) -> Invoice | None:
        rows = await self._reads.run("invoices", {"id": invoice_id})
        return invoice_of(rows[0]) if rows else None

    async def account(self, account_id: str) -> Account | None:
        rows = await self._reads.run("account", {"id": account_id})
        if not rows:
            return None
        shard, position, created_at, language, opened_at, reason, moved_to, due, next_due, credit = rows[0]
        status = account_status(opened_at is not None, reason is not None, moved_to is not None)
        last = await self._payment_rows(account_id, LAST_PAYMENTS, None, {})
        return Account(
            account_id=account_id,
            status=status,
            reason=reason if status is AccountStatus.REFUSED else None,
            moved_to=moved_to,
            language=language,
            due_minor=due,
            next_due_date=next_due.isoformat() if next_due else None,
            credit_minor=credit,
            last_payments=tuple(payment_of(row) for row in last),
            created_at=rfc3339(created_at),
            position=await self.position(shard, Place("gateway", shard, position)),
        )

    async def payment_page(
        self, account_id: str, shard: int, cursor: str | None, limit: int, filters: Mapping[str, str]
    ) -> PaymentPage:
        """Return a page, newest first; `filters` may hold `status`, and days `from` and `to` in the tenant's zone."""
        rows = await self._payment_rows(account_id, limit + 1, cursor, filters)
        last = rows[limit - 1] if len(rows) > limit else None
        return PaymentPage(
            items=tuple(payment_of(row) for row in rows[:limit]),
            next=cursor_of(last[5], last[0]) if last else None,
            position=await self.position(shard),
        )

    async def _payment_rows(
        self, account_id: str, limit: int, cursor: str | None, filters: Mapping[str, str]
    ) -> list[Row]:
        before_at, before_id = at_and_id(cursor)
        parameters = {
            "account_id": account_id,
            "before_at": before_at,
            "before_id": before_id,
            "from": self._start_of(filters.get("from"), 0),
            "until": self._start_of(filters.get("to"), 1),
            "status": filters.get("status"),
            "limit": limit,
        }
        return await self._reads.run("payments_of", parameters)

    def _start_of(self, day: str | None, later_days: int) -> datetime | None:
        if day is None:
            return None
        return datetime.combine(date.fromisoformat(day) + timedelta(days=later_days), time(), self._zone)

    async def invoice_page(self, account_id: str, shard: int, cursor: str | None, limit: int) -> InvoicePage:
        """Return a page of invoices, newest first."""
        before_at, before_id = at_and_id(cursor)
        rows = await self._reads.run(
            "invoices_of",
            {"account_id": account_id, "before_at": before_at, "before_id": before_id, "limit": limit + 1},
        )
        last = rows[limit - 1] if len(rows) > limit else None
        return InvoicePage(
            items=tuple(invoice_of(row) for row in rows[:limit]),
            next=cursor_of(last[5], last[0]) if last else None,
            position=await self.position(shard),
        )

    async def balances(self, account_id: str, shard: int) -> Balances:
        """Return the ledger's balances; refused where the account's story is not whole here."""
        await self.whole(account_id, shard)
        rows = await self._reads.run("balances", {"account_id": account_id})
        return Balances(
            account_id=account_id,
            balances=tuple(
                Balance(code=code, currency=currency, debit_minor=d, credit_minor=c, balance_minor=d - c)
                for code, currency, d, c in rows
            ),
            position=await self.position(shard),
        )

    async def history(self, account_id: str, shard: int, cursor: str | None, limit: int) -> HistoryPage:
        """Return a page of facts, newest first; refused where the account's story is not whole here."""
        before = open_cursor(cursor, 3)
        await self.whole(account_id, shard)
        parameters = {
            "account_id": account_id,
            "before_at": before[0] if before else None,
            "before_source": before[1] if before else None,
            "before_position": whole_number(before[2]) if before else None,
            "limit": limit + 1,
        }
        rows = await self._reads.run("history", parameters)
        last = rows[limit - 1] if len(rows) > limit else None
        return HistoryPage(
            items=tuple(history_item(row) for row in rows[:limit]),
            next=cursor_of(last[4], last[0], str(last[2])) if last else None,
            position=await self.position(shard),
        )

    async def receipt(self, payment: Payment) -> Receipt:
        """Return the receipt of a settled payment; another one raises the Problem."""
        if payment.status is not PaymentStatus.SETTLED or payment.settled_at is None:
            raise Problem("payment_not_settled")
        [(number, settled_on, paid_first, mailed_at)] = await self._reads.run("receipt", {"id": payment.payment_id})
        return Receipt(
            payment_id=payment.payment_id,
            reference=payment.reference,
            account_id=payment.account_id,
            invoice_id=payment.invoice_id,
            invoice_number=number,
            amount=payment.amount,
            method=payment.method,
            refunded=payment.refunded,
            allocations=tuple(msgspec.convert(one, AllocationView) for one in paid_first or ()),
            requested_at=payment.created_at,
            settled_at=payment.settled_at,
            settled_on=settled_on.isoformat(),
            mailed_at=rfc3339(mailed_at) if mailed_at else None,
        )

    async def whole(self, account_id: str, shard: int) -> None:
        """Refuse where billing has not spoken of the account here yet, or a record of it waits for a person."""
        [(spoken, held)] = await self._reads.run("ready", {"account_id": account_id, "shard": shard})
        if held:
            raise Problem("account_on_hold", headers=RETRY_SOON)
        if not spoken:
            raise Problem("history_not_ready", headers=RETRY_SOON)

    async def position(self, shard: int, own: Place | None = None) -> str:
        """Return how far this shard's story is known here, after `own` if given."""
        rows = await self._reads.run("places", {"shards": [shard]})
        known = sorted((SOURCE_OF[topic], place) for topic, _, place in rows if topic in SOURCE_OF)
        return places_text([*([own] if own else []), *(Place(source, shard, place) for source, place in known)])
