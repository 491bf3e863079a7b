"""Open work: intents of one shard's log that have no outcome yet, folded from the log alone."""

from typing import Any, Literal

import msgspec

from services.billing.effects.works import (
    OpenAttempt,
    OpenHold,
    OpenRefund,
    OpenReport,
    OpenTrace,
    OpenTransfer,
    Origin,
    SentRefund,
    StrangeThing,
    Work,
    report_id,
)
from shared.contracts.billing import (
    AttemptCancelRequested,
    AttemptNudged,
    AttemptPlanned,
    AttemptRegistered,
    DisputeTraced,
    ObjectIgnored,
    ObjectNudged,
    PaymentActionRequired,
    PaymentCancelled,
    PaymentDeclined,
    PaymentHeld,
    PaymentSettled,
    PaymentUnknown,
    RefundApproved,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
    RefundNudged,
    RefundOpened,
    RefundSent,
    RefundStopRequested,
    ReportDue,
    ReportImported,
    TransferCompleted,
    TransferReturned,
    TransferSent,
)
from shared.contracts.envelope import Envelope, open_fact
from shared.contracts.event import Event
from shared.eventlog.ports import EventRow

CHARGE, INTENT = "ch_", "pi_"
RELEVANT = frozenset(
    event.TYPE
    for event in (
        AttemptPlanned, AttemptRegistered, AttemptNudged, AttemptCancelRequested, PaymentActionRequired,
        PaymentUnknown, PaymentSettled, PaymentDeclined, PaymentCancelled, PaymentHeld, RefundOpened, RefundApproved,
        RefundSent, RefundStopRequested, RefundNudged, RefundCompleted, RefundBounced, RefundCancelled, ObjectNudged,
        DisputeTraced, ObjectIgnored, TransferSent, TransferCompleted, TransferReturned, ReportDue, ReportImported,
    )
)  # fmt: skip


class Change(msgspec.Struct, frozen=True):
    """What a row did: `nudged` asks for a run now, as what opens does; `changed` does not, `closed` ends the work.

    `ended_as` are the names at the rail of an attempt that ended.
    """

    how: Literal["nudged", "changed", "closed"]
    work_id: str
    ended_as: tuple[str, ...] = ()


class OpenWork:
    """The open work of one shard; `take` folds its log, row by row, in order."""

    def __init__(self, works: list[Work] | None = None) -> None:
        self.by_id: dict[str, Work] = {work.work_id: work for work in works or ()}

    def take(self, row: EventRow) -> list[Change]:
        """Fold a row; none where it concerns no work."""
        if row.type not in RELEVANT:
            return []
        fact = open_fact(row.data)
        changes = self._take(fact.event, fact.envelope, row)
        return [change for change in changes if change is not None]

    def _take(self, event: Event, envelope: Envelope, row: EventRow) -> list[Change | None]:
        match event:
            case AttemptPlanned():
                return [self._close(f"hold:{event.payment_id}"), self._open(_planned(event, envelope, row))]
            case AttemptRegistered(attempt_id=attempt_id, processor_ref=ref):
                return [self._change(attempt_id, processor_ref=ref)]
            case PaymentUnknown(attempt_id=attempt_id, since=since):
                return [self._change(attempt_id, unknown_since=since)]
            case PaymentActionRequired(attempt_id=attempt_id, expires_at=expires_at):
                return [self._change(attempt_id, action_until=expires_at)]
            case AttemptCancelRequested(attempt_id=attempt_id):
                return [self._change(attempt_id, "nudged", is_unwanted=True)]
            case AttemptNudged():
                return [self._nudge(event, _origin(envelope, row))]
            case PaymentSettled():
                return [self._close(event.attempt_id, event.processor_ref, event.charge_ref)]
            case PaymentDeclined() | PaymentCancelled():
                return [self._end(event), self._close(f"hold:{event.payment_id}")]
            case PaymentHeld():
                return [self._open(_held(event, envelope, row))]
            case ReportDue():
                origin = _origin(envelope, row)
                is_first = row.version == 1
                report = OpenReport(origin=origin, processor=event.processor, day=event.day, is_first=is_first)
                return [self._open(report)]
            case ReportImported():
                return [self._close(report_id(event.processor, event.day))]
            case ObjectNudged() | DisputeTraced() | ObjectIgnored():
                return [self._trace(event, envelope, row)]
            case TransferSent():
                return [self._open(_sent(event, envelope, row))]
            case TransferCompleted() | TransferReturned():
                return [self._close(event.transfer_id)]
            case _:
                return [self._refund(event, envelope, row)]

    def oldest_report(self, processor: str) -> OpenReport | None:
        """Return the oldest day of a processor that is due; days are imported in order."""
        days = [work for work in self.by_id.values() if isinstance(work, OpenReport) and work.processor == processor]
        return min(days, key=lambda work: work.day, default=None)

    def _open(self, work: Work) -> Change:
        self.by_id[work.work_id] = work
        return Change("nudged", work.work_id)

    def end(self, work_id: str) -> None:
        """Take out what was to be read once, and was."""
        del self.by_id[work_id]

    def _change(self, work_id: str, how: Literal["changed", "nudged"] = "changed", **fields: Any) -> Change | None:
        work = self.by_id.get(work_id)
        if work is None:
            return None
        self.by_id[work_id] = msgspec.structs.replace(work, **fields)
        return Change(how, work_id)

    def _close(self, work_id: str, *ended_as: str) -> Change | None:
        return Change("closed", work_id, ended_as=ended_as) if self.by_id.pop(work_id, None) is not None else None

    def _end(self, event: PaymentDeclined | PaymentCancelled) -> Change | None:
        work = self.by_id.get(event.attempt_id)
        ref = work.processor_ref if isinstance(work, OpenAttempt) else None
        return self._close(event.attempt_id, *([ref] if ref is not None else []))

    def _nudge(self, event: AttemptNudged, origin: Origin) -> Change | None:
        work = self.by_id.get(event.attempt_id)
        registered = work.processor_ref if isinstance(work, OpenAttempt) else None
        is_charge = event.object_id.startswith(CHARGE) and work is None
        is_intent = event.object_id.startswith(INTENT) and event.object_id != registered
        if not is_charge and not is_intent:
            return self._change(event.attempt_id, "nudged")
        strange = StrangeThing(
            origin=origin,
            account_id=event.account_id,
            payment_id=event.payment_id,
            attempt_id=event.attempt_id,
            object_id=event.object_id,
        )
        return self._open(strange)

    def _refund(self, event: Event, envelope: Envelope, row: EventRow) -> Change | None:
        match event:
            case RefundOpened():
                return self._open(_refund_of(event, envelope, row))
            case RefundApproved(refund_id=refund_id, is_last=True):
                return self._change(refund_id, "nudged", approve_by=None, sendable_at=envelope.recorded_at)
            case RefundSent(refund_id=refund_id):
                return self._change(refund_id, is_sent=True)
            case RefundStopRequested(refund_id=refund_id):
                return self._change(refund_id, "nudged", is_stopping=True)
            case RefundNudged(refund_id=refund_id) if refund_id in self.by_id:
                return self._change(refund_id, "nudged")
            case RefundNudged():
                again = SentRefund(
                    origin=_origin(envelope, row),
                    account_id=event.account_id,
                    refund_id=event.refund_id,
                    object_id=event.object_id,
                )
                return self._open(again)
            case RefundCompleted() | RefundBounced() | RefundCancelled():
                return self._close(event.refund_id)
            case _:
                return None

    def _trace(
        self, event: ObjectNudged | DisputeTraced | ObjectIgnored, envelope: Envelope, row: EventRow
    ) -> Change | None:
        work_id = f"trace:{event.object_id}"
        known = self.by_id.get(work_id)
        causes = known.causes if isinstance(known, OpenTrace) else ()
        if isinstance(event, ObjectNudged):
            self.by_id[work_id] = OpenTrace(
                origin=_origin(envelope, row),
                object_id=event.object_id,
                kind=event.kind,
                causes=(*causes, envelope.event_id),
            )
            return Change("nudged", work_id)
        if len(causes) > 1:
            return self._change(work_id, "nudged", causes=causes[1:])
        return self._close(work_id)


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
        return_url=event.return_url,
    )


def _held(event: PaymentHeld, envelope: Envelope, row: EventRow) -> OpenHold:
    return OpenHold(
        origin=_origin(envelope, row),
        account_id=event.account_id,
        payment_id=event.payment_id,
        held_until=event.held_until,
    )


def _refund_of(event: RefundOpened, envelope: Envelope, row: EventRow) -> OpenRefund:
    return OpenRefund(
        origin=_origin(envelope, row),
        account_id=event.account_id,
        payment_id=event.payment_id,
        refund_id=event.refund_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        processor_ref=event.processor_ref,
        charge_ref=event.charge_ref,
        sendable_at=envelope.recorded_at,
        approve_by=event.approve_by,
    )


def _sent(event: TransferSent, envelope: Envelope, row: EventRow) -> OpenTransfer:
    return OpenTransfer(
        origin=_origin(envelope, row),
        account_id=event.account_id,
        transfer_id=event.transfer_id,
        sent_at=envelope.recorded_at,
    )
