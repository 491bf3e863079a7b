"""Which fact or command concerns which household, and what decides it."""

from typing import Any

from services.notifier.domain import commands, household, notices
from shared.contracts.billing import AccountOpened, InvoiceIssued, PaymentDeclined, PaymentSettled
from shared.decider import Decide, Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", household.Household, household.initial, household.evolve)


def _account(message: Any) -> str:
    account_id: str = message.account_id
    return account_id


def _of_household(decide: Decide) -> Handler:
    return Handler(_account, decide)


REGISTRY = Registry(
    service="notifier",
    kinds=(HOUSEHOLD,),
    handlers={
        AccountOpened: _of_household(notices.note_contact),
        InvoiceIssued: _of_household(notices.note_invoice),
        PaymentSettled: _of_household(notices.plan_receipt),
        PaymentDeclined: _of_household(notices.plan_decline_notice),
        commands.MarkSent: _of_household(notices.mark_sent),
        commands.EndNotice: _of_household(notices.end_notice),
    },
)
