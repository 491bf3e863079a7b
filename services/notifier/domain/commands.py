"""What the effect runner reports: how a notice's delivery came out."""

from typing import Literal

from shared.decider import Command


class MarkSent(Command, frozen=True, kw_only=True):
    """The mail server took the notice."""

    TYPE = "notifier.mark-sent.v1"
    account_id: str
    notice_id: str
    message_id: str
    sent_at: str


class EndNotice(Command, frozen=True, kw_only=True):
    """The notice cannot be delivered."""

    TYPE = "notifier.end-notice.v1"
    account_id: str
    notice_id: str
    reason: Literal["erased", "rejected", "exhausted"]
