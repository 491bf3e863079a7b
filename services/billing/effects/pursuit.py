"""One attempt's way on the card rail, from where its log stands to its end or to the next question.

create (unconfirmed) → commit the name → confirm the name read back from the log → settled, or cancelled first and then
declined. What was registered is asked for by its name, for ever; what was never registered was never confirmed.
"""

from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec

from services.billing.domain.commands import (
    CancelAttempt,
    DeclineAttempt,
    FoundCharge,
    MarkUnknown,
    RegisterAttempt,
    RequireAction,
    SettleAttempt,
)
from services.billing.domain.decisions import BY_MEMBER
from services.billing.effects import times
from services.billing.effects.days import bank_days_later, day_of
from services.billing.effects.open_work import CHARGE
from services.billing.effects.outbox import Outbox
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenAttempt, StrangeThing
from services.billing.rails.port import (
    ActionRequired,
    Busy,
    Canceled,
    ChargeAnswer,
    Created,
    Misasked,
    NoAnswer,
    NoSuccess,
    Order,
    Processing,
    Rail,
    Refused,
    Succeeded,
    Unconfirmed,
)
from shared.clock import Clock, parse_rfc3339, rfc3339
from shared.contracts.billing import AttemptRegistered
from shared.contracts.envelope import open_fact
from shared.errors import OwnFault
from shared.eventlog.command import Answer
from shared.faults import Point, reach
from shared.telemetry.logs import logger

log = logger(__name__)

MOST_CALLS = 8
PROCESSING_BANK_DAYS = 2
TIMEOUT = "processor_timeout"
ACTION_EXPIRED = "action_expired"
AT_PROCESSOR = "cancelled_at_processor"


class WrongAmount(OwnFault):
    """The processor charged another amount than the attempt's: a person must look."""


class Pursuit:
    """Runs attempts; every step is safe to run twice, by one worker or by two."""

    def __init__(self, rail: Rail, outbox: Outbox, clock: Clock, zone: ZoneInfo) -> None:
        self._rail = rail
        self._outbox = outbox
        self._clock = clock
        self._zone = zone
        self._spoiled: dict[str, int] = {}

    async def pursue(self, work: OpenAttempt, tries: int) -> Next:
        """Take an attempt as far as the rail's answers allow; `tries` counts the short waits before."""
        if work.processor_ref is not None:
            answer = await self._rail.retrieve(work.processor_ref)
            waits_for_member = work.action_until is not None and not times.has_expired(work, self._clock.now())
            if isinstance(answer, NoAnswer) and waits_for_member:
                return Again(self._clock.now() + times.ACTION_POLL)
            return await self._act(work, work.processor_ref, answer, tries)
        if times.has_expired(work, self._clock.now()):
            return await self._cancelled(work)
        registered = await self._register(work, tries)
        if not isinstance(registered, str):
            return registered
        work = msgspec.structs.replace(work, processor_ref=registered)
        return await self._act(work, registered, await self._confirm(work, registered), tries)

    async def _register(self, work: OpenAttempt, tries: int) -> str | Next:
        """Create an intent and commit its name; return the name *in the log*, which may be another run's."""
        reach(Point.EFFECT_BEFORE_CREATE)
        answer = await self._rail.create(self._order(work))
        reach(Point.EFFECT_AFTER_CREATE)
        match answer:
            case Created(ref):
                command = RegisterAttempt(**_ids(work), processor=self._rail.processor, processor_ref=ref)
                name = _registered(await self._outbox.outcome(work.origin, command, "registered"))
                if name != ref:
                    await self._rail.cancel(ref)
                return name if name is not None else Ended()
            case Refused(reason):
                return await self._declined(work, reason)
            case Busy():
                return times.soon(self._clock.now(), tries)
            case NoAnswer(spoiled):
                if spoiled:
                    self._spoiled[work.attempt_id] = self._spoiled.get(work.attempt_id, 0) + 1
                return times.soon(self._clock.now(), tries)
            case Misasked(code):
                return self._misasked(work, code)
            case _:
                assert_never(answer)

    def _order(self, work: OpenAttempt) -> Order:
        return Order(
            tenant=work.origin.tenant,
            account_id=work.account_id,
            payment_id=work.payment_id,
            attempt_id=work.attempt_id,
            amount_minor=work.amount_minor,
            currency=work.currency,
            token=work.token,
            key=f"{work.attempt_id}:create:{self._spoiled.get(work.attempt_id, 0)}",
        )

    async def _confirm(self, work: OpenAttempt, ref: str) -> ChargeAnswer:
        reach(Point.EFFECT_BEFORE_CONFIRM)
        answer = await self._rail.confirm(ref, work.return_url)
        reach(Point.EFFECT_AFTER_CONFIRM)
        return answer

    async def _act(self, work: OpenAttempt, ref: str, answer: ChargeAnswer, tries: int) -> Next:
        last_no: str | None = None
        for _ in range(MOST_CALLS):
            expired = times.has_expired(work, self._clock.now())
            match answer:
                case Succeeded():
                    return await self._settled(work, answer)
                case Canceled(reason):
                    no = reason or last_no
                    return await (self._declined(work, no) if no is not None else self._cancelled(work))
                case NoSuccess(last_no):
                    answer = await self._rail.cancel(ref)
                case Unconfirmed():
                    answer = await (self._rail.cancel(ref) if expired else self._confirm(work, ref))
                case ActionRequired(url):
                    if not expired:
                        return await self._ask_member(work, url)
                    answer = await self._rail.cancel(ref)
                case Processing():
                    return self._processing(work)
                case NoAnswer():
                    return await self._unknown(work)
                case Busy():
                    return times.soon(self._clock.now(), tries)
                case Misasked(code):
                    return self._misasked(work, code)
                case _:
                    assert_never(answer)
        return times.soon(self._clock.now(), tries)

    async def _settled(self, work: OpenAttempt, paid: Succeeded) -> Next:
        if (paid.amount_minor, paid.currency) != (work.amount_minor, work.currency):
            raise WrongAmount(f"{work.attempt_id}: {paid.ref} took {paid.amount_minor} {paid.currency}")
        command = SettleAttempt(
            **_ids(work),
            processor=self._rail.processor,
            processor_ref=paid.ref,
            charge_ref=paid.charge_ref,
            settled_at=rfc3339(paid.settled_at),
            settled_on=self._day(paid),
        )
        reach(Point.EFFECT_BEFORE_OUTCOME)
        await self._outbox.outcome(work.origin, command, "settled")
        return self._end(work)

    async def _declined(self, work: OpenAttempt, reason: str) -> Next:
        command = DeclineAttempt(**_ids(work), processor=self._rail.processor, reason=str(reason))
        reach(Point.EFFECT_BEFORE_OUTCOME)
        await self._outbox.outcome(work.origin, command, "declined")
        return self._end(work)

    async def _cancelled(self, work: OpenAttempt) -> Next:
        ours = ACTION_EXPIRED if work.action_until is not None else TIMEOUT
        reason = ours if times.has_expired(work, self._clock.now()) else AT_PROCESSOR
        if work.is_unwanted:
            reason = BY_MEMBER
        command = CancelAttempt(**_ids(work), processor=self._rail.processor, reason=reason)
        reach(Point.EFFECT_BEFORE_OUTCOME)
        await self._outbox.outcome(work.origin, command, "cancelled")
        return self._end(work)

    def _end(self, work: OpenAttempt) -> Ended:
        self._spoiled.pop(work.attempt_id, None)
        return Ended()

    async def _unknown(self, work: OpenAttempt) -> Next:
        now = self._clock.now()
        since = parse_rfc3339(work.unknown_since) if work.unknown_since is not None else now
        if work.unknown_since is None:
            command = MarkUnknown(**_ids(work), since=rfc3339(now))
            await self._outbox.outcome(work.origin, command, "unknown")
        limit = times.deadline(work)
        asking = times.next_asking(since, now)
        exceeded: times.Limit | None = "unknown" if now - since >= times.PERSON_AFTER else None
        return Again(min(asking, limit) if limit > now else asking, exceeded)

    def _processing(self, work: OpenAttempt) -> Next:
        now, since = self._clock.now(), parse_rfc3339(work.planned_at)
        is_late = now >= bank_days_later(since, PROCESSING_BANK_DAYS)
        return Again(times.next_asking(since, now), "processing" if is_late else None)

    async def _ask_member(self, work: OpenAttempt, url: str) -> Next:
        now = self._clock.now()
        until = parse_rfc3339(work.action_until) if work.action_until is not None else now + times.ACTION_TERM
        if work.action_until is None:
            command = RequireAction(**_ids(work), url=url, expires_at=rfc3339(until))
            await self._outbox.outcome(work.origin, command, "action-required")
        return Again(min(now + times.ACTION_POLL, until))

    def _misasked(self, work: OpenAttempt, code: str) -> Next:
        log.error("rail_misasked", attempt_id=work.attempt_id, processor_ref=work.processor_ref, code=code)
        now = self._clock.now()
        expired = times.has_expired(work, now)
        return Again(times.next_asking(parse_rfc3339(work.planned_at), now) if expired else now + times.MISASKED_WAIT)

    async def look_at(self, strange: StrangeThing, tries: int) -> Next:
        """Read what is not its attempt's registered intent or charge: money taken is a case (RailDown).

        An intent that has not charged is cancelled.
        """
        if strange.object_id.startswith(CHARGE):
            answer: ChargeAnswer = await self._rail.charge(strange.object_id)
        else:
            answer = await self._rail.retrieve(strange.object_id)
            if isinstance(answer, Unconfirmed | NoSuccess | ActionRequired):
                answer = await self._rail.cancel(strange.object_id)
        match answer:
            case Succeeded():
                log.error("charge_found", attempt_id=strange.attempt_id, processor_ref=answer.ref)
                command = FoundCharge(
                    **_ids(strange),
                    processor=self._rail.processor,
                    processor_ref=answer.ref,
                    charge_ref=answer.charge_ref,
                    amount_minor=answer.amount_minor,
                    currency=answer.currency,
                    settled_on=self._day(answer),
                )
                await self._outbox.outcome(strange.origin, command, f"found:{answer.charge_ref}")
                return Ended()
            case Canceled() | Misasked():
                return Ended()
            case _:
                return times.soon(self._clock.now(), tries)

    def _day(self, paid: Succeeded) -> str:
        return day_of(paid.settled_at, self._zone).isoformat()


def _ids(work: OpenAttempt | StrangeThing) -> dict[str, str]:
    return {"account_id": work.account_id, "payment_id": work.payment_id, "attempt_id": work.attempt_id}


def _registered(answer: Answer) -> str | None:
    """Return the name in the committed row; None where the attempt had ended before."""
    for row in answer.rows:
        event = open_fact(row.data).event
        if isinstance(event, AttemptRegistered):
            return event.processor_ref
    return None
