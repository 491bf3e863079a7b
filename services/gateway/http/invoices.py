"""Invoices: issued by staff, read, and taken back."""

from datetime import datetime

from services.gateway.domain.payment import InvoiceStatus
from services.gateway.http.bodies.changes import InvoiceVoidBody, check_void
from services.gateway.http.bodies.household import InvoiceBody, check_invoice
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.lookups import Lookups
from services.gateway.http.posting import Posting, keyed, posted
from services.gateway.http.requests import Requests
from services.gateway.http.resources.household import Invoice, InvoiceLine
from services.gateway.http.views import Views
from services.gateway.http.waiting import Outcomes
from shared.clock import rfc3339
from shared.contracts.gateway import InvoiceRequested, InvoiceVoidRequested
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem
from shared.ids import thing_id

OPERATION = "invoices.create"


class Invoices:
    """The handlers of /v1/invoices."""

    def __init__(
        self, posting: Posting, lookups: Lookups, views: Views, outcomes: Outcomes, requests: Requests
    ) -> None:
        self._posting = posting
        self._requests = requests
        self._lookups = lookups
        self._views = views
        self._outcomes = outcomes

    async def create(self, call: Call) -> Answer:
        """Commit the request for a bill."""
        call.key()
        body = parse(InvoiceBody, call.body)
        lines = check_invoice(body)
        wait_s = call.wait_s()
        await self._lookups.account(call.principal, body.account_id, "/account_id")
        identity = keyed(call, OPERATION, body.account_id)
        shard = self._posting.shard_of(call, body.account_id)
        invoice_id = thing_id("inv", shard, identity.root)
        event = InvoiceRequested(
            invoice_id=invoice_id,
            account_id=body.account_id,
            due_date=body.due_date,
            currency=body.currency,
            lines=lines,
            received_at=rfc3339(call.received_at),
        )
        appended = await self._posting.append(call, identity, shard, "invoice", invoice_id, body.account_id, event)
        if wait_s:
            await self._outcomes.final(invoice_id, wait_s)
        resource = _accepted(event, appended.recorded_at or call.received_at, shard, appended.position)
        if appended.replayed or wait_s:
            resource = await self._views.invoice(invoice_id) or resource
        final = resource.status is not InvoiceStatus.ACCEPTED
        where = f"/v1/invoices/{invoice_id}"
        return posted(resource, where, final=final, replayed=appended.replayed, waited=wait_s)

    async def void(self, call: Call) -> Answer:
        """Commit the request to take a bill back, or lines of it."""
        call.key()
        body = parse(InvoiceVoidBody, call.body)
        lines = check_void(body)
        return await self._requests.of_household(
            call,
            "invoices.void",
            "invoice",
            lambda request_id, account_id, invoice_id: InvoiceVoidRequested(
                request_id=request_id,
                account_id=account_id,
                invoice_id=invoice_id,
                lines=lines,
                reason=body.reason,
                received_at=rfc3339(call.received_at),
            ),
        )

    async def read(self, call: Call) -> Answer:
        """Return an invoice."""
        await self._lookups.thing(call.principal, "invoice", call.params[0])
        resource = await self._views.invoice(call.params[0])
        if resource is None:
            raise Problem("invoice_unknown")
        return answer(resource)


def _accepted(event: InvoiceRequested, created_at: datetime, shard: int, position: int) -> Invoice:
    """Return an invoice of which billing has said nothing yet."""
    total = sum(line.member_minor for line in event.lines)
    return Invoice(
        invoice_id=event.invoice_id,
        account_id=event.account_id,
        status=InvoiceStatus.ACCEPTED,
        due_date=event.due_date,
        currency=event.currency,
        lines=tuple(
            InvoiceLine(
                policy_id=line.policy_id,
                coverage_month=line.coverage_month,
                gross_minor=line.gross_minor,
                aptc_minor=line.aptc_minor,
                state_subsidy_minor=line.state_subsidy_minor,
            )
            for line in event.lines
        ),
        total_minor=total,
        due_minor=total,
        created_at=rfc3339(created_at),
        position=f"gateway.{shard}.{position}",
    )
