"""One refund's way: looked for at the rail, made where it is not there, and noted as it stands there.

Every step is safe to run twice, because a refund bears our id and is looked for before it is made.
"""

from typing import assert_never
from zoneinfo import ZoneInfo

from services.billing.domain.commands import EndRefund, NoteRefund
from services.billing.effects import times
from services.billing.effects.days import day_of
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenRefund, Origin, SentRefund
from services.billing.rails.port import (
    Busy,
    Misasked,
    NoAnswer,
    Rail,
    RailDown,
    Refunded,
    RefundOrder,
    RefundState,
    Refused,
)
from shared.clock import Clock, parse_rfc3339
from shared.faults import Point, reach
from shared.ids import root_of_key
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
        """Take a refund as far as the rail's answers allow."""
        if work.approve_by is not None:
            return await self._await_approval(work, work.approve_by)
        try:
            found = await self._find(work)
            if found is not None:
                return await self._note(work, found)
            if work.is_stopping:
                return await self._end(work, "chargeback")
            return await self._make(work, tries)
        except RailDown as error:
            log.warning("refund_not_answered", refund_id=work.refund_id, error=str(error))
            return self._later(work, times.soon(self._clock.now(), tries))

    async def _await_approval(self, work: OpenRefund, approve_by: str) -> Next:
        until = parse_rfc3339(approve_by)
        return Again(until) if self._clock.now() < until else await self._end(work, "approval_expired")

    async def _find(self, work: OpenRefund) -> RefundState | None:
        """Return the refund that bears our id, the oldest where there should be two."""
        listed = await self._rail.refunds_of(work.processor_ref)
        ours = [one for one in listed if one.refund_id == work.refund_id]
        return min(ours, key=lambda one: one.sent_at, default=None)

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
                return await self._refused(work)
            case Busy():
                return self._later(work, times.soon(self._clock.now(), tries))
            case NoAnswer(spoiled):
                if spoiled:
                    self._spoiled[work.refund_id] = self._spoiled.get(work.refund_id, 0) + 1
                return self._later(work, times.soon(self._clock.now(), tries))
            case Misasked(code):
                log.error("rail_misasked", refund_id=work.refund_id, code=code)
                return self._later(work, Again(self._clock.now() + times.MISASKED_WAIT))
            case _:
                assert_never(answer)

    async def _refused(self, work: OpenRefund) -> Next:
        """Look once more before it is ended: what it is refused for may be our own, made by a call that came late."""
        found = await self._find(work)
        return await (self._end(work, "refused_by_processor") if found is None else self._note(work, found))

    def _later(self, work: OpenRefund, again: Again) -> Again:
        """Return a short wait; after a day in which it could not be sent an asking time, and that it is too late."""
        now, since = self._clock.now(), parse_rfc3339(work.sendable_at)
        if work.is_sent or now - since < times.PERSON_AFTER:
            return again
        return Again(times.next_asking(since, now), exceeded="refund")

    async def look_again(self, work: SentRefund) -> Next:
        """Read a refund that had its end: it may have been sent back since (RailDown)."""
        state = await self._rail.refund_state(work.object_id)
        if state is not None:
            await self._submit(work.origin, work.account_id, self._noted(work.account_id, work.refund_id, state))
        return Ended()

    async def _note(self, work: OpenRefund, state: RefundState) -> Next:
        await self._submit(work.origin, work.account_id, self._noted(work.account_id, work.refund_id, state))
        if state.status == "succeeded" or state.ended_at is not None:
            return self._done(work)
        return Again(times.next_asking(state.sent_at, self._clock.now()))

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
            sent_on=day_of(state.sent_at, self._zone).isoformat(),
            ended_on=day_of(state.ended_at, self._zone).isoformat() if state.ended_at is not None else None,
        )

    async def _submit(self, origin: Origin, account_id: str, command: NoteRefund | EndRefund) -> None:
        said = f"{command.status}:{command.ended_on}" if isinstance(command, NoteRefund) else command.reason
        reach(Point.EFFECT_BEFORE_OUTCOME)
        root = root_of_key(origin.tenant, PRINCIPAL, "refund", account_id, f"{command.refund_id}:{said}")
        await self._outbox.submit(origin, command, root)
