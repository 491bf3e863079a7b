"""Open work: intents of one shard's log that have no outcome yet, folded from the log alone."""

from typing import Literal

import msgspec

from shared.contracts.billing import (
    AttemptNudged,
    AttemptPlanned,
    AttemptRegistered,
    PaymentActionRequired,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
    PaymentUnknown,
    ReportDue,
    ReportImported,
)
from shared.contracts.envelope import Envelope, open_fact
from shared.contracts.event import Event
from shared.eventlog.ports import EventRow

RELEVANT = frozenset(
    event.TYPE
    for event in (
        AttemptPlanned,
        AttemptRegistered,
        AttemptNudged,
        PaymentActionRequired,
        PaymentUnknown,
        PaymentSettled,
        PaymentDeclined,
        PaymentCancelled,
        ReportDue,
        ReportImported,
    )
)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What an outcome carries on from its intent."""

    tenant: str
    correlation: str
    causation: str | None
    trace: str | None


class OpenAttempt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An attempt without an end. `processor_ref` is the one in the log; times are of the log too."""

    origin: Origin
    account_id: str
    payment_id: str
    attempt_id: str
    amount_minor: int
    currency: str
    token: str
    planned_at: str
    processor_ref: str | None = None
    unknown_since: str | None = None
    action_until: str | None = None

    @property
    def work_id(self) -> str:
        return self.attempt_id

    @property
    def lane(self) -> str:
        """One call at a time in a lane: a household."""
        return self.account_id


class OpenReport(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A processor's day that is due and not imported; `is_first` where it is the first of its stream."""

    origin: Origin
    processor: str
    day: str
    is_first: bool

    @property
    def work_id(self) -> str:
        return report_id(self.processor, self.day)

    @property
    def lane(self) -> str:
        return self.processor


class StrangeIntent(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An intent that says it belongs to an attempt which has another name, or an end: to be read once. Never stored."""

    origin: Origin
    account_id: str
    payment_id: str
    attempt_id: str
    object_id: str

    @property
    def work_id(self) -> str:
        return f"strange:{self.object_id}"

    @property
    def lane(self) -> str:
        return self.account_id


Work = OpenAttempt | OpenReport
AnyWork = OpenAttempt | OpenReport | StrangeIntent


class Change(msgspec.Struct, frozen=True):
    """What a row did: `opened` and `nudged` ask for a run now, `changed` does not, `closed` ends the work."""

    how: Literal["opened", "changed", "nudged", "closed"]
    work_id: str
    strange: StrangeIntent | None = None
    processor_ref: str | None = None


def report_id(processor: str, day: str) -> str:
    """Return the id of a day's report; ids sort as the days do."""
    return f"report:{processor}:{day}"


class OpenWork:
    """The open work of one shard; `take` folds its log, row by row, in order."""

    def __init__(self, works: list[Work] | None = None) -> None:
        self.by_id: dict[str, Work] = {work.work_id: work for work in works or ()}

    def take(self, row: EventRow) -> Change | None:
        """Fold a row; None where it concerns no work."""
        if row.type not in RELEVANT:
            return None
        fact = open_fact(row.data)
        match fact.event:
            case AttemptPlanned():
                return self._open(_planned(fact.event, fact.envelope, row))
            case ReportDue():
                origin = _origin(fact.envelope, row)
                report = OpenReport(
                    origin=origin, processor=fact.event.processor, day=fact.event.day, is_first=row.version == 1
                )
                return self._open(report)
            case AttemptRegistered(attempt_id=attempt_id, processor_ref=ref):
                return self._change(attempt_id, processor_ref=ref)
            case PaymentUnknown(attempt_id=attempt_id, since=since):
                return self._change(attempt_id, unknown_since=since)
            case PaymentActionRequired(attempt_id=attempt_id, expires_at=expires_at):
                return self._change(attempt_id, action_until=expires_at)
            case AttemptNudged():
                return self._nudge(fact.event, _origin(fact.envelope, row))
            case _:
                return self._close(_ended(fact.event))

    def oldest_report(self, processor: str) -> OpenReport | None:
        """Return the oldest day of a processor that is due; days are imported in order."""
        days = [work for work in self.by_id.values() if isinstance(work, OpenReport) and work.processor == processor]
        return min(days, key=lambda work: work.day, default=None)

    def _open(self, work: Work) -> Change:
        self.by_id[work.work_id] = work
        return Change("opened", work.work_id)

    def _change(self, work_id: str, **fields: str) -> Change | None:
        work = self.by_id.get(work_id)
        if work is None:
            return None
        self.by_id[work_id] = msgspec.structs.replace(work, **fields)
        return Change("changed", work_id)

    def _close(self, work_id: str) -> Change | None:
        work = self.by_id.pop(work_id, None)
        ref = work.processor_ref if isinstance(work, OpenAttempt) else None
        return Change("closed", work_id, processor_ref=ref) if work is not None else None

    def _nudge(self, event: AttemptNudged, origin: Origin) -> Change:
        work = self.by_id.get(event.attempt_id)
        registered = work.processor_ref if isinstance(work, OpenAttempt) else None
        if not event.object_id.startswith("pi_") or event.object_id == registered:
            return Change("nudged", event.attempt_id)
        strange = StrangeIntent(
            origin=origin,
            account_id=event.account_id,
            payment_id=event.payment_id,
            attempt_id=event.attempt_id,
            object_id=event.object_id,
        )
        return Change("nudged", event.attempt_id, strange)


def _origin(envelope: Envelope, row: EventRow) -> Origin:
    return Origin(
        tenant=envelope.tenant, correlation=envelope.correlation, causation=envelope.event_id, trace=row.trace
    )


def _planned(event: AttemptPlanned, envelope: Envelope, row: EventRow) -> OpenAttempt:
    return OpenAttempt(
        origin=_origin(envelope, row),
        account_id=event.account_id,
        payment_id=event.payment_id,
        attempt_id=event.attempt_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        token=event.method.token,
        planned_at=envelope.recorded_at,
    )


def _ended(event: Event) -> str:
    match event:
        case PaymentSettled() | PaymentDeclined() | PaymentCancelled():
            return event.attempt_id
        case ReportImported():
            return report_id(event.processor, event.day)
        case _:
            raise TypeError(f"{event.TYPE} ends no work")
