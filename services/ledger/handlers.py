"""Which fact or command concerns which stream of the ledger, and what decides it."""

from typing import Any

from services.ledger.domain import household, processor
from services.ledger.domain.household import Household
from services.ledger.domain.processor import Processor, ReconcileDay, stream_of
from shared.contracts.billing import (
    AttemptRegistered,
    ChargeFound,
    InvoiceIssued,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeclined,
    PaymentSettled,
    ReportImported,
    ReportPartImported,
)
from shared.decider import Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", Household, household.initial, household.evolve)
PROCESSOR = StreamKind("prc", Processor, processor.initial, processor.evolve)


def _household(fact: Any) -> str:
    stream: str = fact.account_id
    return stream


def _processor(message: Any) -> str:
    return stream_of(message.processor)


REGISTRY = Registry(
    service="ledger",
    kinds=(HOUSEHOLD, PROCESSOR),
    handlers={
        InvoiceIssued: Handler(_household, household.post_invoice),
        AttemptRegistered: Handler(_household, household.post_attempt),
        PaymentSettled: Handler(_household, household.post_settlement),
        PaymentAllocated: Handler(_household, household.post_allocation),
        PaymentDeclined: Handler(_household, household.post_end),
        PaymentCancelled: Handler(_household, household.post_end),
        ChargeFound: Handler(_household, household.post_found_charge),
        ReportPartImported: Handler(_processor, processor.take_part),
        ReportImported: Handler(_processor, processor.take_report),
        ReconcileDay: Handler(_processor, processor.reconcile),
    },
)
