"""One try of one notice: read the person, write the words, hand the mail over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from services.notifier.channels.mail import Mail, Undeliverable, address, compose
from services.notifier.channels.render import Texts
from services.notifier.channels.smtp import MailNotTaken, MailRefused
from services.notifier.domain.commands import EndNotice, MarkSent
from services.notifier.effects.open_notices import OpenNotice
from shared.clock import Clock, parse_rfc3339, rfc3339
from shared.faults import Point, reach
from shared.people.sealing import Erased
from shared.telemetry import metrics

EXHAUSTED_AFTER = timedelta(days=3)


class People(Protocol):
    """The part of `PeopleReader` that a delivery uses."""

    async def get(self, tenant: str, member_id: str, versions: Mapping[str, int]) -> dict[str, str]: ...


class Mailer(Protocol):
    """The part of `SmtpMailer` that a delivery uses."""

    async def send(self, sender: str, recipient: str, message: bytes) -> None: ...


@dataclass(frozen=True)
class Sender:
    """From whom notices come; Message-IDs end in `domain`."""

    address: str
    name: str
    domain: str


class Delivery:
    """Safe to run twice: each try of a notice bears the same Message-ID."""

    def __init__(self, people: People, mailer: Mailer, texts: Texts, sender: Sender, clock: Clock) -> None:
        self._people = people
        self._mailer = mailer
        self._texts = texts
        self._sender = sender
        self._clock = clock

    async def attempt(self, notice: OpenNotice) -> MarkSent | EndNotice:
        """Try once and return the outcome. Errors: a WorldFault where it must be tried again, a fault of ours."""
        try:
            return await self._send(notice)
        except Erased:
            return self._end(notice, "erased")
        except (MailRefused, Undeliverable):
            return self._end(notice, "rejected")
        except MailNotTaken:
            if self._clock.now() - parse_rfc3339(notice.planned_at) >= EXHAUSTED_AFTER:
                return self._end(notice, "exhausted")
            metrics.MAILS.labels("retried").inc()
            raise

    async def _send(self, notice: OpenNotice) -> MarkSent:
        planned = notice.planned
        versions = {"email": planned.email_version, "name": planned.name_version}
        person = await self._people.get(notice.tenant, planned.member_id, versions)
        recipient = address(person["email"])
        message_id = f"{planned.notice_id}@{self._sender.domain}"
        now = self._clock.now()
        mail = Mail(
            message_id=message_id,
            sender=self._sender.address,
            sender_name=self._sender.name,
            recipient=recipient,
            recipient_name=person["name"],
            date=now,
            text=self._texts.render(planned.kind, planned.language, person["name"], planned.facts),
            trace=notice.trace,
        )
        message = compose(mail)
        reach(Point.MAIL_BEFORE_SEND)
        with metrics.MAIL_SECONDS.time():
            await self._mailer.send(self._sender.address, recipient, message)
        reach(Point.MAIL_AFTER_SEND)
        return MarkSent(
            account_id=planned.account_id,
            notice_id=planned.notice_id,
            message_id=f"<{message_id}>",
            sent_at=rfc3339(now),
        )

    @staticmethod
    def _end(notice: OpenNotice, reason: Literal["erased", "rejected", "exhausted"]) -> EndNotice:
        return EndNotice(account_id=notice.planned.account_id, notice_id=notice.notice_id, reason=reason)
