"""Which fact or command concerns which household, and what decides it."""

from typing import Any

from services.notifier.domain import commands, household, notices
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
        PaymentCancelled: _of_household(notices.plan_cancel_notice),
        CheckPosted: _of_household(notices.plan_check_receipt),
        PaymentReturned: _of_household(notices.plan_return_notice),
        DuplicateCaseOpened: _of_household(notices.plan_case_notice),
        DuplicateCaseDecided: _of_household(notices.plan_decision_notice),
        RefundCompleted: _of_household(notices.plan_refund_notice),
        RefundBounced: _of_household(notices.plan_bounce_notice),
        RefundCancelled: _of_household(notices.plan_refund_cancel_notice),
        ChargebackLost: _of_household(notices.plan_loss_notice),
        commands.MarkSent: _of_household(notices.mark_sent),
        commands.EndNotice: _of_household(notices.end_notice),
    },
)
