"""Deciders: what becomes of a household's money plans one notice; a delivery's outcome closes it."""

from typing import assert_never

from services.notifier.domain.commands import EndNotice, MarkSent
from services.notifier.domain.household import Contact, Ended, Household, Planned, Sent
from shared.contracts.billing import (
    AccountOpened,
    ChargebackLost,
    CheckPosted,
    DuplicateCaseDecided,
    DuplicateCaseOpened,
    InvoiceIssued,
    PaymentCancelled,
    PaymentDeclined,
    PaymentReturned,
    PaymentSettled,
    RefundBounced,
    RefundCancelled,
    RefundCompleted,
)
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

Told = (
    PaymentSettled
    | PaymentDeclined
    | PaymentCancelled
    | CheckPosted
    | PaymentReturned
    | DuplicateCaseOpened
    | DuplicateCaseDecided
    | RefundCompleted
    | RefundBounced
    | RefundCancelled
    | ChargebackLost
)
NOT_TOLD = frozenset({"cancelled_by_member", "charge_found"})
"""Reasons of a cancellation that the member chose, or of which a case tells."""


class NoContact(OwnFault):
    """Something happened to the money of a household whose opening this log has not seen: the order is broken."""


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
    return _plan("payment_receipt", fact, household, context, fact.settled_on)


def plan_decline_notice(fact: PaymentDeclined, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a payment was declined and nothing was taken."""
    return _plan("payment_declined", fact, household, context, context.effective_date, fact.reason)


def plan_cancel_notice(fact: PaymentCancelled, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a payment ended and nothing was taken."""
    if fact.reason in NOT_TOLD:
        return ()
    return _plan("payment_cancelled", fact, household, context, context.effective_date, fact.reason)


def plan_check_receipt(fact: CheckPosted, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the receipt of a cheque."""
    return _plan("payment_receipt", fact, household, context, fact.received_on)


def plan_return_notice(fact: PaymentReturned, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a cheque came back."""
    return _plan("payment_returned", fact, household, context, fact.returned_on)


def plan_case_notice(fact: DuplicateCaseOpened, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that money came twice and waits for a decision."""
    return _plan("duplicate_found", fact, household, context, context.effective_date, fact.rule)


def plan_decision_notice(fact: DuplicateCaseDecided, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice of what becomes of the money; where it went back by other ways, that was told."""
    match fact.outcome:
        case "refund":
            kind: NoticeKind = "duplicate_refund"
        case "credit":
            kind = "duplicate_credit"
        case "not_a_duplicate":
            kind = "duplicate_dismissed"
        case "withdrawn":
            return ()
        case _:
            assert_never(fact.outcome)
    return _plan(kind, fact, household, context, context.effective_date)


def plan_refund_notice(fact: RefundCompleted, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that money was given back."""
    return _plan("refund_completed", fact, household, context, context.effective_date)


def plan_bounce_notice(fact: RefundBounced, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a refund came back."""
    return _plan("refund_bounced", fact, household, context, fact.bounced_on)


def plan_refund_cancel_notice(fact: RefundCancelled, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a refund is not made."""
    return _plan("refund_cancelled", fact, household, context, context.effective_date, fact.reason)


def plan_loss_notice(fact: ChargebackLost, household: Household, context: Context) -> tuple[Event, ...]:
    """Plan the notice that a bank keeps what it took back."""
    return _plan("chargeback_lost", fact, household, context, context.effective_date)


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
    kind: NoticeKind, fact: Told, household: Household, context: Context, day: str, reason: str | None = None
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
            facts=_facts(fact, household, day, reason),
        ),
    )


def _facts(fact: Told, household: Household, day: str, reason: str | None) -> dict[str, str | int]:
    """Return what the words of a notice need; what it does not have is left out."""
    facts: dict[str, str | int] = {
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
        "reference": fact.reference,
        "date": day,
    }
    invoice_id = _invoice_of(fact)
    if invoice_id is not None:
        facts["invoice"] = household.invoices.get(invoice_id, invoice_id)
    if reason is not None:
        facts["reason"] = reason
    if isinstance(fact, PaymentReturned | ChargebackLost) and fact.recovery_minor:
        facts["owed_minor"] = fact.recovery_minor
    return facts


def _invoice_of(fact: Told) -> str | None:
    match fact:
        case RefundCompleted() | RefundBounced() | RefundCancelled() | ChargebackLost():
            return None
        case _:
            return fact.invoice_id


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
