"""One refund's way: looked for at the rail, made where it is not there, and noted as it stands there.

Every step is safe to run twice, because a refund bears our id and is looked for before it is made.
"""

from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from services.billing.domain.commands import EndRefund, NoteRefund
from services.billing.effects import times
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenRefund, Origin, SentRefund
from services.billing.rails.port import Busy, Misasked, NoAnswer, Rail, Refunded, RefundOrder, RefundState, Refused
from shared.clock import Clock, parse_rfc3339
from shared.faults import Point, reach
from shared.ids import root_of_key
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)


class Refunds:
    """Runs refunds."""

    def __init__(self, rail: Rail, outbox: Outbox, clock: Clock, zone: ZoneInfo) -> None:
        self._rail = rail
        self._outbox = outbox
        self._clock = clock
        self._zone = zone
        self._spoiled: dict[str, int] = {}

    async def pursue(self, work: OpenRefund, tries: int) -> Next:
        """Take a refund as far as the rail's answers allow (RailDown)."""
        now = self._clock.now()
        if work.approve_by is not None:
            return await self._await_approval(work, work.approve_by, now)
        if now - parse_rfc3339(work.opened_at) >= times.PERSON_AFTER and tries:
            metrics.EFFECTS_OVERDUE.labels("refund").inc()
            log.error("refund_not_done_for_a_day", refund_id=work.refund_id)
        found = [one for one in await self._rail.refunds_of(work.processor_ref) if one.refund_id == work.refund_id]
        if found:
            return await self._note(work, found[0])
        if work.is_stopping:
            return await self._end(work, "chargeback")
        return await self._make(work, tries)

    async def _await_approval(self, work: OpenRefund, approve_by: str, now: datetime) -> Next:
        until = parse_rfc3339(approve_by)
        return Again(until) if now < until else await self._end(work, "approval_expired")

    async def _make(self, work: OpenRefund, tries: int) -> Next:
        order = RefundOrder(
            tenant=work.origin.tenant,
            account_id=work.account_id,
            payment_id=work.payment_id,
            refund_id=work.refund_id,
            charge_ref=work.charge_ref,
            amount_minor=work.amount_minor,
            key=f"{work.refund_id}:{self._spoiled.get(work.refund_id, 0)}",
        )
        reach(Point.EFFECT_BEFORE_REFUND)
        answer = await self._rail.refund(order)
        reach(Point.EFFECT_AFTER_REFUND)
        match answer:
            case Refunded(state):
                return await self._note(work, state)
            case Refused():
                return await self._end(work, "refused_by_processor")
            case Busy():
                return times.soon(self._clock.now(), tries)
            case NoAnswer(spoiled):
                if spoiled:
                    self._spoiled[work.refund_id] = self._spoiled.get(work.refund_id, 0) + 1
                return times.soon(self._clock.now(), tries)
            case Misasked(code):
                log.error("rail_misasked", refund_id=work.refund_id, code=code)
                return Again(self._clock.now() + times.MISASKED_WAIT)
            case _:
                assert_never(answer)

    async def look_again(self, work: SentRefund) -> Next:
        """Read a refund that had its end: it may have been sent back since (RailDown)."""
        state = await self._rail.refund_state(work.object_id)
        if state is not None:
            await self._submit(work.origin, work.account_id, self._noted(work.account_id, work.refund_id, state))
        return Ended()

    async def _note(self, work: OpenRefund, state: RefundState) -> Next:
        await self._submit(work.origin, work.account_id, self._noted(work.account_id, work.refund_id, state))
        if state.status == "pending":
            return Again(times.next_asking(state.sent_at, self._clock.now()))
        return self._done(work)

    async def _end(self, work: OpenRefund, reason: str) -> Next:
        command = EndRefund(account_id=work.account_id, refund_id=work.refund_id, reason=reason)  # type: ignore[arg-type]
        await self._submit(work.origin, work.account_id, command)
        return self._done(work)

    def _done(self, work: OpenRefund) -> Ended:
        self._spoiled.pop(work.refund_id, None)
        return Ended()

    def _noted(self, account_id: str, refund_id: str, state: RefundState) -> NoteRefund:
        return NoteRefund(
            account_id=account_id,
            refund_id=refund_id,
            refund_ref=state.ref,
            status=state.status,
            reason=state.reason,
            sent_on=self._day(state.sent_at),
            ended_on=self._day(state.ended_at) if state.ended_at is not None else None,
        )

    def _day(self, moment: datetime) -> str:
        return moment.astimezone(self._zone).date().isoformat()

    async def _submit(self, origin: Origin, account_id: str, command: NoteRefund | EndRefund) -> None:
        said = command.status if isinstance(command, NoteRefund) else command.reason
        reach(Point.EFFECT_BEFORE_OUTCOME)
        root = root_of_key(origin.tenant, PRINCIPAL, "refund", account_id, f"{command.refund_id}:{said}")
        await self._outbox.submit(origin, command, root)
