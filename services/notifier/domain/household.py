"""One household as the notifier knows it: whom to tell, in which language, and what was told."""

import msgspec

from shared.contracts.event import Event
from shared.contracts.notifier import ContactNoted, InvoiceNoted, NoticeEnded, NoticePlanned, NoticeSent


class Contact(msgspec.Struct, frozen=True):
    """The person notices go to; version 0 of a field: there is none."""

    member_id: str
    language: str
    email_version: int
    name_version: int


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """Not yet with the mail server, or not known to be."""


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The mail server took it."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """It will not be sent."""


Notice = Planned | Sent | Ended


class Household(msgspec.Struct, frozen=True):
    """`invoices` gives a bill's number by its id, `notices` the state of each notice by its id, for life."""

    stream: str
    contact: Contact | None = None
    invoices: dict[str, str] = {}
    notices: dict[str, Notice] = {}


def initial(stream: str) -> Household:
    """Return the state before the account is opened."""
    return Household(stream)


def evolve(household: Household, event: Event) -> Household:
    """Fold one event of the household's stream."""
    match event:
        case ContactNoted():
            contact = Contact(event.member_id, event.language, event.email_version, event.name_version)
            return msgspec.structs.replace(household, contact=contact)
        case InvoiceNoted():
            invoices = {**household.invoices, event.invoice_id: event.number}
            return msgspec.structs.replace(household, invoices=invoices)
        case NoticePlanned():
            return _with(household, event.notice_id, Planned())
        case NoticeSent():
            return _with(household, event.notice_id, Sent())
        case NoticeEnded():
            return _with(household, event.notice_id, Ended())
        case _:
            return household


def _with(household: Household, notice_id: str, notice: Notice) -> Household:
    return msgspec.structs.replace(household, notices={**household.notices, notice_id: notice})
