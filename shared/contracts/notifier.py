"""What the notifier appends: one notice per (kind, contact, cause); intent, then outcome."""

from typing import ClassVar, Literal

from shared.contracts.event import Event, Instant

NoticeKind = Literal["payment_receipt", "payment_declined"]


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


NOTIFIER_EVENTS: tuple[type[Event], ...] = (NoticePlanned, NoticeSent, NoticeEnded)
