"""Payments: asked for, read, cancelled, decided, and their receipt."""

from datetime import datetime

from services.gateway.domain.payment import FINAL, PaymentStatus
from services.gateway.http.bodies.changes import EmptyBody, PaymentDecisionBody
from services.gateway.http.bodies.household import PaymentBody, check_payment
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.lookups import Lookups
from services.gateway.http.posting import Posting, keyed, posted
from services.gateway.http.requests import Requests
from services.gateway.http.resources.household import Payment
from services.gateway.http.views import Views
from services.gateway.http.waiting import Outcomes
from shared.clock import rfc3339
from shared.contracts.event import Method
from shared.contracts.gateway import PaymentCancellationRequested, PaymentDecisionRequested, PaymentRequested
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem
from shared.http.resource import Amount
from shared.ids import reference_of, thing_id

OPERATION = "payments.create"


class Payments:
    """The handlers of /v1/payments."""

    def __init__(
        self, posting: Posting, lookups: Lookups, views: Views, outcomes: Outcomes, requests: Requests
    ) -> None:
        self._posting = posting
        self._requests = requests
        self._lookups = lookups
        self._views = views
        self._outcomes = outcomes

    async def create(self, call: Call) -> Answer:
        """Commit the request, then answer: at once, or when its outcome is known if the caller prefers to wait."""
        call.key()
        body = parse(PaymentBody, call.body)
        check_payment(body)
        wait_s = call.wait_s()
        await self._lookups.account(call.principal, body.account_id, "/account_id")
        await self._lookups.part_of(body.account_id, "invoice", body.invoice_id, "/invoice_id")
        if body.policy_id is not None:
            await self._lookups.policy_of(body.invoice_id, body.policy_id, "/policy_id")
        identity = keyed(call, OPERATION, body.account_id)
        shard = self._posting.shard_of(call, body.account_id)
        event = PaymentRequested(
            payment_id=thing_id("pay", shard, identity.root),
            reference=reference_of(identity.root),
            account_id=body.account_id,
            invoice_id=body.invoice_id,
            amount_minor=body.amount.minor,
            currency=body.amount.currency,
            method=Method(body.method.type, body.method.token),
            received_at=rfc3339(call.received_at),
            policy_id=body.policy_id,
            accept_credit=body.accept_credit,
            return_url=body.return_url,
        )
        appended = await self._posting.append(
            call, identity, shard, "payment", event.payment_id, event.account_id, event, event.reference
        )
        payment = payment_accepted(event, appended.recorded_at or call.received_at, shard, appended.position)
        if wait_s:
            await self._outcomes.final(payment.payment_id, wait_s)
        if appended.replayed or wait_s:
            payment = await self._views.payment(payment.payment_id) or payment
        final = payment.status in FINAL
        where = "/v1/payments/" + payment.payment_id
        return posted(payment, where, final=final, replayed=appended.replayed, waited=wait_s)

    async def read(self, call: Call) -> Answer:
        """Return a payment."""
        return answer(await self._payment(call))

    async def receipt(self, call: Call) -> Answer:
        """Return the receipt of a settled payment."""
        return answer(await self._views.receipt(await self._payment(call)))

    async def cancel(self, call: Call) -> Answer:
        """Commit somebody's wish that a payment be not made."""
        call.key()
        parse(EmptyBody, call.body)
        return await self._requests.of_household(
            call,
            "payments.cancel",
            "payment",
            lambda request_id, account_id, payment_id: PaymentCancellationRequested(
                request_id=request_id,
                account_id=account_id,
                payment_id=payment_id,
                received_at=rfc3339(call.received_at),
            ),
        )

    async def decide(self, call: Call) -> Answer:
        """Commit what shall become of a held payment."""
        call.key()
        body = parse(PaymentDecisionBody, call.body)
        return await self._requests.of_household(
            call,
            "payments.decision",
            "payment",
            lambda request_id, account_id, payment_id: PaymentDecisionRequested(
                request_id=request_id,
                account_id=account_id,
                payment_id=payment_id,
                decision=body.decision,
                received_at=rfc3339(call.received_at),
            ),
        )

    async def _payment(self, call: Call) -> Payment:
        payment_id = call.params[0]
        await self._lookups.thing(call.principal, "payment", payment_id)
        payment = await self._views.payment(payment_id)
        if payment is None:
            raise Problem("payment_unknown")
        return payment


def payment_accepted(event: PaymentRequested, created_at: datetime, shard: int, position: int) -> Payment:
    """Return a payment of which billing has said nothing yet."""
    return Payment(
        payment_id=event.payment_id,
        reference=event.reference,
        account_id=event.account_id,
        invoice_id=event.invoice_id,
        policy_id=event.policy_id,
        amount=Amount(minor=event.amount_minor, currency=event.currency),
        status=PaymentStatus.ACCEPTED,
        created_at=rfc3339(created_at),
        position=f"gateway.{shard}.{position}",
    )
