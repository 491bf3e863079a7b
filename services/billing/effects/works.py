"""What effects work on: intents of the log without an outcome, and things to be read once."""

import msgspec


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What an outcome carries on from its intent."""

    tenant: str
    correlation: str
    causation: str | None
    trace: str | None


class OpenAttempt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An attempt without an end. `processor_ref` is the one in the log; times are of the log too.

    `is_unwanted`: the member wants it cancelled.
    """

    origin: Origin
    account_id: str
    payment_id: str
    attempt_id: str
    amount_minor: int
    currency: str
    token: str
    planned_at: str
    return_url: str | None = None
    processor_ref: str | None = None
    unknown_since: str | None = None
    action_until: str | None = None
    is_unwanted: bool = False

    @property
    def work_id(self) -> str:
        return self.attempt_id

    @property
    def lane(self) -> str:
        """One call at a time in a lane: a household."""
        return self.account_id


class OpenHold(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A held payment that nobody has decided; it ends at `held_until`."""

    origin: Origin
    account_id: str
    payment_id: str
    held_until: str

    @property
    def work_id(self) -> str:
        return f"hold:{self.payment_id}"

    @property
    def lane(self) -> str:
        return self.work_id


class OpenRefund(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A refund without an end; it may be sent since `sendable_at`, but for approvals that are missing (`approve_by`).

    `is_sent`: the processor has it. `is_stopping`: it shall not leave any more.
    """

    origin: Origin
    account_id: str
    payment_id: str
    refund_id: str
    amount_minor: int
    currency: str
    processor_ref: str
    charge_ref: str
    sendable_at: str
    approve_by: str | None = None
    is_sent: bool = False
    is_stopping: bool = False

    @property
    def work_id(self) -> str:
        return self.refund_id

    @property
    def lane(self) -> str:
        return self.account_id


class OpenTrace(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An object to be fetched and followed to its household; `causes` are the nudges that are not answered yet."""

    origin: Origin
    object_id: str
    kind: str
    causes: tuple[str, ...]

    @property
    def work_id(self) -> str:
        return f"trace:{self.object_id}"

    @property
    def lane(self) -> str:
        return self.work_id


class OpenTransfer(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Credit under way to another household: only watched, it ends by that one's answer."""

    origin: Origin
    account_id: str
    transfer_id: str
    sent_at: str

    @property
    def work_id(self) -> str:
        return self.transfer_id

    @property
    def lane(self) -> str:
        return self.transfer_id


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


class StrangeThing(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An intent or charge that says it belongs to an attempt which has another one, or an end: to be read once."""

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


class SentRefund(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A refund that had its end and is spoken of again: to be read once."""

    origin: Origin
    account_id: str
    refund_id: str
    object_id: str

    @property
    def work_id(self) -> str:
        return f"again:{self.refund_id}"

    @property
    def lane(self) -> str:
        return self.account_id


ReadOnce = StrangeThing | SentRefund
"""Ends when it was read, with or without an event that says so: read again after a crash, it adds nothing."""
Work = OpenAttempt | OpenHold | OpenRefund | OpenTrace | OpenTransfer | OpenReport | ReadOnce


def report_id(processor: str, day: str) -> str:
    """Return the id of a day's report; ids sort as the days do."""
    return f"report:{processor}:{day}"
