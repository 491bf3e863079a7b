"""What happens to card payments later, as the gateway and the processor's webhooks would say it."""

from typing import Any

from shared.clock import rfc3339
from shared.contracts.billing import DisputeTraced, PaymentSettled
from shared.contracts.event import Event
from shared.contracts.gateway import PaymentCancellationRequested, RefundRequested, WebhookReceived
from tests.integration.billing_shard import AMOUNT_MINOR, BillingShard


async def refund(shard: BillingShard, payment_id: str, minor: int = AMOUNT_MINOR) -> str:
    """Ask for money of a payment back, off the bill that it had paid."""
    refund_id = payment_id.replace("pay_", "rfd_")
    account_id = payment_id.replace("pay_0_", "acc_")
    await shard.ask(
        RefundRequested(
            refund_id=refund_id, account_id=account_id, payment_id=payment_id, amount_minor=minor, currency="USD",
            reason="requested_by_member", release=True, received_at=rfc3339(shard.clock.now()),
        )
    )  # fmt: skip
    return refund_id


async def refunds_at_processor(shard: BillingShard, payment_id: str) -> list[Any]:
    (settled,) = [one for one in shard.of(PaymentSettled) if one.payment_id == payment_id]
    return list(await shard.worker.rail.refunds_of(settled.processor_ref))


async def settled(shard: BillingShard, card: str = "pm_card_visa") -> str:
    payment = await shard.pay("a", card)
    await shard.idle()
    assert [one.payment_id for one in shard.of(PaymentSettled)] == [payment]
    return payment


async def told(shard: BillingShard, kind: str, object_id: str, **names: str) -> None:
    """Say what the gateway makes of a webhook, and wait for what comes of it."""
    await say(shard, kind, object_id, **names)
    await shard.idle()


async def say(shard: BillingShard, kind: str, object_id: str, **names: str) -> None:
    """Say what the gateway makes of a webhook."""
    await shard.ask(
        WebhookReceived(
            provider="card", provider_event_id=f"evt_{len(shard.rows())}", kind=kind, object_id=object_id,
            body_sha256="00", received_at=rfc3339(shard.clock.now()), **names,
        )
    )  # fmt: skip


async def dispute(shard: BillingShard, payment_id: str, inquiry: bool = False) -> str:
    (charge,) = await shard.charges(payment_id)
    opened = await shard.simulator.control("POST", "disputes", {"charge": charge["id"], "inquiry": inquiry})
    return str(opened["id"])


async def follow(shard: BillingShard, dispute_id: str, kind: str = "charge.dispute.created") -> None:
    """Nudge a dispute, then deliver what was traced to its household."""
    before = len(shard.of(DisputeTraced))
    await told(shard, kind, dispute_id)
    await deliver(shard, before)


async def deliver(shard: BillingShard, before: int = 0) -> None:
    """Deliver what was traced, but for the first `before`, to its household: it goes by Kafka elsewhere."""
    for traced in shard.of(DisputeTraced)[before:]:
        await shard.ask(traced)


def kinds(shard: BillingShard, *wanted: type[Event]) -> list[str]:
    return [type(event).__name__ for kind in wanted for event in shard.of(kind)]


async def cancel(shard: BillingShard, payment: str) -> None:
    account_id = payment.replace("pay_0_", "acc_")
    await shard.ask(
        PaymentCancellationRequested(
            request_id="req_0_" + payment, account_id=account_id, payment_id=payment,
            received_at=rfc3339(shard.clock.now()),
        )
    )  # fmt: skip
    await shard.idle()
