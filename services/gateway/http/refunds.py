"""Refunds: asked for, read, approved."""

from services.gateway.domain.changes import FINAL_REFUND
from services.gateway.http.bodies.changes import ApprovalBody, RefundBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.requests import Requests
from services.gateway.http.things import Sort, Things
from shared.clock import rfc3339
from shared.contracts.gateway import RefundApprovalRequested, RefundRequested
from shared.http.call import Answer, Call, answer

REFUND = Sort("refund", "rfd", "/v1/refunds/", FINAL_REFUND)


class Refunds:
    """The handlers of /v1/refunds."""

    def __init__(self, things: Things, requests: Requests, lookups: Lookups, views: ChangeViews) -> None:
        self._things = things
        self._requests = requests
        self._lookups = lookups
        self._views = views

    async def create(self, call: Call) -> Answer:
        """Commit the request for a payment's money back."""
        call.key()
        body = parse(RefundBody, call.body)
        await self._lookups.account(call.principal, body.account_id, "/account_id")
        await self._lookups.part_of(body.account_id, "payment", body.payment_id, "/payment_id")
        return await self._things.make(
            call,
            REFUND,
            "refunds.create",
            body.account_id,
            self._things.shard_of(call, body.account_id),
            lambda refund_id: RefundRequested(
                refund_id=refund_id,
                account_id=body.account_id,
                payment_id=body.payment_id,
                amount_minor=body.amount.minor,
                currency=body.amount.currency,
                reason=body.reason,
                release=body.release,
                received_at=rfc3339(call.received_at),
            ),
            self._views.refund,
        )

    async def read(self, call: Call) -> Answer:
        """Return a refund."""
        await self._lookups.thing(call.principal, "refund", call.params[0])
        return answer(await self._views.refund(call.params[0]))

    async def approve(self, call: Call) -> Answer:
        """Commit somebody's yes or no to a refund; billing counts whose it was."""
        call.key()
        body = parse(ApprovalBody, call.body)
        return await self._requests.of_household(
            call,
            "refunds.approval",
            "refund",
            lambda request_id, account_id, refund_id: RefundApprovalRequested(
                request_id=request_id,
                account_id=account_id,
                refund_id=refund_id,
                digest=body.digest,
                decision=body.decision,
                received_at=rfc3339(call.received_at),
            ),
        )
