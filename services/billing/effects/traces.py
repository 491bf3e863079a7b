"""Objects of the processor that name no household, fetched and followed to the one they concern."""

from datetime import datetime
from zoneinfo import ZoneInfo

from services.billing.domain.commands import IgnoreObject, TraceDispute
from services.billing.domain.objects import DISPUTE
from services.billing.effects.days import day_of
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.times import Ended
from services.billing.effects.works import OpenTrace
from services.billing.rails.port import DisputeState, Rail
from shared.clock import rfc3339
from shared.ids import root_of_key

NOT_NEEDED, UNKNOWN, FOREIGN = "kind_not_needed", "unknown_to_processor", "not_ours"


class Traces:
    """Answers each nudge of an object once."""

    def __init__(self, rail: Rail, outbox: Outbox, zone: ZoneInfo) -> None:
        self._rail = rail
        self._outbox = outbox
        self._zone = zone

    async def follow(self, work: OpenTrace) -> Ended:
        """Read the object as it is now and tell its household's shard, or ignore it (RailDown)."""
        command = await self._answer(work)
        root = root_of_key(work.origin.tenant, PRINCIPAL, "object", None, f"{work.object_id}:{work.causes[0]}")
        await self._outbox.submit(work.origin, command, root)
        return Ended()

    async def _answer(self, work: OpenTrace) -> TraceDispute | IgnoreObject:
        if not work.kind.startswith(DISPUTE):
            return IgnoreObject(object_id=work.object_id, reason=NOT_NEEDED)
        dispute = await self._rail.dispute(work.object_id)
        if dispute is None:
            return IgnoreObject(object_id=work.object_id, reason=UNKNOWN)
        ours = (dispute.account_id, dispute.payment_id, dispute.attempt_id)
        if dispute.tenant != work.origin.tenant or None in ours:
            return IgnoreObject(object_id=work.object_id, reason=FOREIGN)
        return self._traced(dispute)

    def _traced(self, dispute: DisputeState) -> TraceDispute:
        return TraceDispute(
            object_id=dispute.ref,
            account_id=dispute.account_id or "",
            payment_id=dispute.payment_id or "",
            attempt_id=dispute.attempt_id or "",
            processor=self._rail.processor,
            processor_ref=dispute.intent_ref,
            charge_ref=dispute.charge_ref,
            status=dispute.status,
            reason=dispute.reason,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            opened_at=rfc3339(dispute.opened_at),
            due_by=None if dispute.due_by is None else rfc3339(dispute.due_by),
            debited_minor=dispute.debited_minor,
            fee_minor=dispute.fee_minor,
            debited_on=self._day(dispute.debited_at),
            reinstated_minor=dispute.reinstated_minor,
            reinstated_on=self._day(dispute.reinstated_at),
        )

    def _day(self, moment: datetime | None) -> str | None:
        return None if moment is None else day_of(moment, self._zone).isoformat()
