"""What the notifier appends: one notice per (kind, contact, cause); intent, then outcome."""

from typing import ClassVar, Literal

from shared.contracts.event import Event, Instant

NoticeKind = Literal[
    "payment_receipt",
    "payment_declined",
    "payment_cancelled",
    "payment_returned",
    "duplicate_found",
    "duplicate_refund",
    "duplicate_credit",
    "duplicate_dismissed",
    "refund_completed",
    "refund_bounced",
    "refund_cancelled",
    "chargeback_lost",
]


class ContactNoted(Event, frozen=True, kw_only=True):
    """Whom a household's notices go to and in which language; version 0 of a field: there is none."""

    TYPE: ClassVar[str] = "notifier.contact-noted.v1"
    account_id: str
    member_id: str
    language: str
    email_version: int
    name_version: int


class InvoiceNoted(Event, frozen=True, kw_only=True):
    """The number by which notices name a bill."""

    TYPE: ClassVar[str] = "notifier.invoice-noted.v1"
    account_id: str
    invoice_id: str
    number: str


class NoticePlanned(Event, frozen=True, kw_only=True):
    """A notice will be sent; its text is rendered at send time from `facts`, which hold no personal data."""

    TYPE: ClassVar[str] = "notifier.notice-planned.v1"
    account_id: str
    notice_id: str
    kind: NoticeKind
    channel: Literal["mail"]
    member_id: str
    email_version: int
    name_version: int
    language: str
    cause: str
    facts: dict[str, str | int]


class NoticeSent(Event, frozen=True, kw_only=True):
    """The mail server took it. `message_id` is the same for all tries."""

    TYPE: ClassVar[str] = "notifier.notice-sent.v1"
    account_id: str
    notice_id: str
    message_id: str
    sent_at: Instant


class NoticeEnded(Event, frozen=True, kw_only=True):
    """The notice will not be sent: the person was erased, the server refused it for good, or tries ran out."""

    TYPE: ClassVar[str] = "notifier.notice-ended.v1"
    account_id: str
    notice_id: str
    reason: Literal["erased", "rejected", "exhausted"]


NOTIFIER_EVENTS: tuple[type[Event], ...] = (
    ContactNoted,
    InvoiceNoted,
    NoticePlanned,
    NoticeSent,
    NoticeEnded,
)
