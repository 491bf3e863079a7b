"""Deciders: a payment's end plans one notice; a delivery's outcome closes it."""

from typing import assert_never

from services.notifier.domain.commands import EndNotice, MarkSent
from services.notifier.domain.household import Contact, Ended, Household, Planned, Sent
from shared.contracts.billing import AccountOpened, InvoiceIssued, PaymentDeclined, PaymentSettled
from shared.contracts.event import Event
from shared.contracts.gateway import PersonField
from shared.contracts.notifier import (
    ContactNoted,
    InvoiceNoted,
    NoticeEnded,
    NoticeKind,
    NoticePlanned,
    NoticeSent,
)
from shared.decider import Context
from shared.errors import OwnFault
from shared.ids import root_of_key, thing_id


class NoContact(OwnFault):
    """A payment came to an end in a household whose opening this log has not seen: the order is broken."""


def note_contact(fact: AccountOpened, household: Household, context: Context) -> tuple[Event, ...]:
    """Keep whom to tell; a second opening of the account adds nothing."""
    if household.contact is not None:
        return ()
    return (
        ContactNoted(
            account_id=fact.account_id,
            member_id=fact.member_id,
            language=fact.language,
            email_version=_version(fact.contact, "email"),
            name_version=_version(fact.contact, "name"),
        ),
    )


def note_invoice(fact: InvoiceIssued, household: Household, context: Context) -> tuple[Event, ...]:
    """Keep the number by which people know the bill."""
    if fact.invoice_id in household.invoices:
        return ()
    return (InvoiceNoted(account_id=fact.account_id, invoice_id=fact.invoice_id, number=fact.number),)


def plan_receipt(fact: PaymentSettled, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the receipt of a settled payment."""
    return _plan("payment_receipt", fact, household, context, {"date": fact.settled_on})


def plan_decline_notice(fact: PaymentDeclined, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a payment was declined and nothing was taken."""
    return _plan("payment_declined", fact, household, context, {"date": context.effective_date, "reason": fact.reason})


def mark_sent(command: MarkSent, household: Household, context: Context) -> tuple[Event, ...]:
    """Record the delivery; once closed, or never planned, a notice stays as it is."""
    if not _is_open(command.notice_id, household):
        return ()
    return (
        NoticeSent(
            account_id=command.account_id,
            notice_id=command.notice_id,
            message_id=command.message_id,
            sent_at=command.sent_at,
        ),
    )


def end_notice(command: EndNotice, household: Household, context: Context) -> tuple[Event, ...]:
    """Record that the notice will not be sent; once closed, or never planned, it stays as it is."""
    if not _is_open(command.notice_id, household):
        return ()
    return (NoticeEnded(account_id=command.account_id, notice_id=command.notice_id, reason=command.reason),)


def _plan(
    kind: NoticeKind,
    fact: PaymentSettled | PaymentDeclined,
    household: Household,
    context: Context,
    facts: dict[str, str | int],
) -> tuple[Event, ...]:
    contact = household.contact
    if contact is None:
        raise NoContact(f"{fact.account_id}: {context.cause.place} came before the account was opened")
    notice_id = _notice_id(kind, contact, context)
    if notice_id in household.notices:
        return ()
    return (
        NoticePlanned(
            account_id=fact.account_id,
            notice_id=notice_id,
            kind=kind,
            channel="mail",
            member_id=contact.member_id,
            email_version=contact.email_version,
            name_version=contact.name_version,
            language=contact.language,
            cause=context.cause.event_id,
            facts={
                "amount_minor": fact.amount_minor,
                "currency": fact.currency,
                "reference": fact.reference,
                "invoice": household.invoices.get(fact.invoice_id, fact.invoice_id),
                **facts,
            },
        ),
    )


def _notice_id(kind: NoticeKind, contact: Contact, context: Context) -> str:
    """Return an id that is the same for the same kind, contact and cause: one notice."""
    key = f"{kind}:{contact.member_id}:mail"
    root = root_of_key(context.tenant, "notifier", "notice", context.cause.event_id, key)
    return thing_id("ntc", context.shard, root)


def _is_open(notice_id: str, household: Household) -> bool:
    notice = household.notices.get(notice_id)
    match notice:
        case Planned():
            return True
        case None | Sent() | Ended():
            return False
        case _:
            assert_never(notice)


def _version(contact: tuple[PersonField, ...], name: str) -> int:
    return next((one.version for one in contact if one.field == name), 0)
