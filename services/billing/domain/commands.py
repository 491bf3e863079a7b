"""What billing's own effects and schedule ask of its writer."""

from typing import ClassVar, Literal

from shared.contracts.billing import ReportLine
from shared.decider import Command


class Outcome(Command, frozen=True, kw_only=True):
    """What became of an attempt; a repeated one adds nothing."""

    account_id: str
    payment_id: str
    attempt_id: str


class RegisterAttempt(Outcome, frozen=True, kw_only=True):
    """The rail has an unconfirmed thing under this name; the first name registered is the attempt's only one."""

    TYPE: ClassVar[str] = "billing.register-attempt"
    processor: str
    processor_ref: str


class SettleAttempt(Outcome, frozen=True, kw_only=True):
    """The processor has charged. `settled_on` is the day of `settled_at` in the tenant's zone."""

    TYPE: ClassVar[str] = "billing.settle-attempt"
    processor: str
    processor_ref: str
    charge_ref: str
    settled_at: str
    settled_on: str


class DeclineAttempt(Outcome, frozen=True, kw_only=True):
    """The processor said no and cannot charge any more."""

    TYPE: ClassVar[str] = "billing.decline-attempt"
    processor: str
    reason: str


class CancelAttempt(Outcome, frozen=True, kw_only=True):
    """The attempt ended without charge and without the processor's no, and cannot charge any more."""

    TYPE: ClassVar[str] = "billing.cancel-attempt"
    processor: str
    reason: str


class MarkUnknown(Outcome, frozen=True, kw_only=True):
    """A call went unanswered at `since`: charged or not is not known."""

    TYPE: ClassVar[str] = "billing.mark-unknown"
    since: str


class RequireAction(Outcome, frozen=True, kw_only=True):
    """The member must do something at `url` before `expires_at`."""

    TYPE: ClassVar[str] = "billing.require-action"
    url: str
    expires_at: str


class FoundCharge(Outcome, frozen=True, kw_only=True):
    """The processor has charged under a reference that is not the attempt's registered one."""

    TYPE: ClassVar[str] = "billing.found-charge"
    processor: str
    processor_ref: str
    charge_ref: str
    amount_minor: int
    currency: str
    settled_on: str


class NudgeAttempt(Command, frozen=True, kw_only=True):
    """The processor's event list names an object of this attempt: what a lost webhook would have said."""

    TYPE: ClassVar[str] = "billing.nudge-attempt"
    account_id: str
    attempt_id: str
    kind: str
    object_id: str


class ExpireHold(Command, frozen=True, kw_only=True):
    """A held payment's time is over and nobody has decided."""

    TYPE: ClassVar[str] = "billing.expire-hold"
    account_id: str
    payment_id: str


class NoteRefund(Command, frozen=True, kw_only=True):
    """A refund as the processor has it now, whole: whatever of it the log lacks is added.

    `sent_on` is the day of its line in the processor's books; `ended_on` that of the line which undid it, None while
    it stands.
    """

    TYPE: ClassVar[str] = "billing.note-refund"
    account_id: str
    refund_id: str
    refund_ref: str
    status: Literal["pending", "succeeded", "failed", "canceled"]
    reason: str
    sent_on: str
    ended_on: str | None


class EndRefund(Command, frozen=True, kw_only=True):
    """Nothing was sent and nothing can be any more: refused by the processor, stopped, or not approved in time."""

    TYPE: ClassVar[str] = "billing.end-refund"
    account_id: str
    refund_id: str
    reason: Literal["refused_by_processor", "chargeback", "approval_expired"]


class TraceDispute(Command, frozen=True, kw_only=True):
    """A dispute as read from the processor, followed to its intent; fields as in `DisputeTraced`."""

    TYPE: ClassVar[str] = "billing.trace-dispute"
    object_id: str
    account_id: str
    payment_id: str
    attempt_id: str
    processor: str
    processor_ref: str
    charge_ref: str
    status: str
    reason: str
    amount_minor: int
    currency: str
    opened_at: str
    due_by: str | None
    debited_minor: int
    fee_minor: int
    debited_on: str | None
    reinstated_minor: int
    reinstated_on: str | None


class IgnoreObject(Command, frozen=True, kw_only=True):
    """The object was read and is none of ours."""

    TYPE: ClassVar[str] = "billing.ignore-object"
    object_id: str
    reason: str


class NudgeObject(Command, frozen=True, kw_only=True):
    """The processor's event list names an object that names no household: what a lost webhook would have said."""

    TYPE: ClassVar[str] = "billing.nudge-object"
    kind: str
    object_id: str


class DueReports(Command, frozen=True, kw_only=True):
    """All days of a processor up to and with `through_day` are over; `first_day` is where a new processor begins."""

    TYPE: ClassVar[str] = "billing.due-reports"
    processor: str
    first_day: str
    through_day: str


class ImportReportPart(Command, frozen=True, kw_only=True):
    """A numbered part (1..`parts`) of a day's balance transactions, as read from the processor."""

    TYPE: ClassVar[str] = "billing.import-report-part"
    processor: str
    day: str
    part: int
    parts: int
    lines: tuple[ReportLine, ...]


class ImportReport(Command, frozen=True, kw_only=True):
    """All parts of a day are handed over; `lines` and `net_minor` are what the reader counted."""

    TYPE: ClassVar[str] = "billing.import-report"
    processor: str
    day: str
    currency: str
    parts: int
    lines: int
    net_minor: int
