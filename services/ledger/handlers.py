"""Which fact or command concerns which stream of the ledger, and what decides it."""

from typing import Any

from services.ledger.domain import bank, household, processor, reconciled
from services.ledger.domain.household import Household
from services.ledger.domain.reconciled import Reconciled, ReconcileDay, ReviewExceptions
from shared.contracts.billing import (
    AttemptRegistered,
    BankStatementImported,
    ChargebackDebited,
    ChargebackLost,
    ChargebackWon,
    ChargeFound,
    CheckPosted,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentCancelled,
    PaymentDeallocated,
    PaymentDeclined,
    PaymentReturned,
    PaymentSettled,
    RecoveryPaid,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
    ReportImported,
    ReportPartImported,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.gateway import ExplanationRequested
from shared.decider import Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", Household, household.initial, household.evolve)
PROCESSOR = StreamKind("prc", Reconciled, reconciled.initial, reconciled.evolve)
BANK = StreamKind("bnk", Reconciled, reconciled.initial, reconciled.evolve)


def _household(fact: Any) -> str:
    stream: str = fact.account_id
    return stream


def _processor(report: ReportPartImported | ReportImported) -> str:
    return reconciled.stream_of("1125", report.processor)


def _bank(statement: BankStatementImported) -> str:
    return reconciled.stream_of("1010", statement.bank_account)


def _reconciled(message: ReconcileDay | ReviewExceptions | ExplanationRequested) -> str:
    return reconciled.stream_of(message.account, message.sub_key)


REGISTRY = Registry(
    service="ledger",
    kinds=(HOUSEHOLD, PROCESSOR, BANK),
    handlers={
        InvoiceIssued: Handler(_household, household.post_invoice),
        AttemptRegistered: Handler(_household, household.post_attempt),
        PaymentSettled: Handler(_household, household.post_settlement),
        PaymentAllocated: Handler(_household, household.post_allocation),
        PaymentDeclined: Handler(_household, household.post_end),
        PaymentCancelled: Handler(_household, household.post_end),
        ChargeFound: Handler(_household, household.post_found_charge),
        CheckPosted: Handler(_household, household.post_check),
        PaymentDeallocated: Handler(_household, household.post_deallocation),
        InvoiceVoided: Handler(_household, household.post_void),
        RefundOpened: Handler(_household, household.post_refund),
        RefundSent: Handler(_household, household.post_refund_sent),
        RefundBounced: Handler(_household, household.post_refund_bounced),
        RefundCancelled: Handler(_household, household.post_refund_cancelled),
        ChargebackDebited: Handler(_household, household.post_chargeback),
        ChargebackWon: Handler(_household, household.post_chargeback_won),
        ChargebackLost: Handler(_household, household.post_chargeback_lost),
        PaymentReturned: Handler(_household, household.post_return),
        RecoveryPaid: Handler(_household, household.post_recovery),
        TransferSent: Handler(_household, household.post_transfer),
        TransferReceived: Handler(_household, household.post_transfer_received),
        TransferReturned: Handler(_household, household.post_transfer_returned),
        ReportPartImported: Handler(_processor, processor.take_part),
        ReportImported: Handler(_processor, processor.take_report),
        BankStatementImported: Handler(_bank, bank.take_statement),
        ReconcileDay: Handler(_reconciled, reconciled.reconcile),
        ReviewExceptions: Handler(_reconciled, reconciled.review),
        ExplanationRequested: Handler(_reconciled, reconciled.explain),
    },
)
