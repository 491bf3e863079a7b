"""What billing's own effects and schedule ask of its writer."""

from typing import ClassVar

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
