"""Which fact or command concerns which stream of the ledger, and what decides it."""

from typing import Any

from services.ledger.domain import bank, direct, household, journal, processor, reconciled, trial
from services.ledger.domain.direct import EndClosing, LapseProposal
from services.ledger.domain.household import Household
from services.ledger.domain.journal import Journal
from services.ledger.domain.reconciled import Reconciled, ReconcileDay, ReviewExceptions
from services.ledger.domain.trial import ReportTrialBalance, TrialBalances
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
from shared.contracts.direct import (
    AccountChangeRequested,
    JournalRequested,
    ProposalDecisionRequested,
    ReversalRequested,
)
from shared.contracts.gateway import ExplanationRequested
from shared.decider import Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", Household, household.initial, household.evolve)
PROCESSOR = StreamKind("prc", Reconciled, reconciled.initial, reconciled.evolve)
BANK = StreamKind("bnk", Reconciled, reconciled.initial, reconciled.evolve)

JOURNAL = StreamKind("jrn", Journal, journal.initial, journal.evolve)
TRIAL = StreamKind("tbl", TrialBalances, trial.initial, trial.evolve)


def _account(message: Any) -> str:
    """A household's facts and a journal's commands name their stream."""
    stream: str = message.account_id
    return stream


def _processor(report: ReportPartImported | ReportImported) -> str:
    return reconciled.stream_of("1125", report.processor)


def _bank(statement: BankStatementImported) -> str:
    return reconciled.stream_of("1010", statement.bank_account)


def _reconciled(message: ReconcileDay | ReviewExceptions | ExplanationRequested) -> str:
    return reconciled.stream_of(message.account, message.sub_key)


REGISTRY = Registry(
    service="ledger",
    kinds=(HOUSEHOLD, PROCESSOR, BANK, JOURNAL, TRIAL),
    handlers={
        InvoiceIssued: Handler(_account, household.post_invoice),
        AttemptRegistered: Handler(_account, household.post_attempt),
        PaymentSettled: Handler(_account, household.post_settlement),
        PaymentAllocated: Handler(_account, household.post_allocation),
        PaymentDeclined: Handler(_account, household.post_end),
        PaymentCancelled: Handler(_account, household.post_end),
        ChargeFound: Handler(_account, household.post_found_charge),
        CheckPosted: Handler(_account, household.post_check),
        PaymentDeallocated: Handler(_account, household.post_deallocation),
        InvoiceVoided: Handler(_account, household.post_void),
        RefundOpened: Handler(_account, household.post_refund),
        RefundSent: Handler(_account, household.post_refund_sent),
        RefundBounced: Handler(_account, household.post_refund_bounced),
        RefundCancelled: Handler(_account, household.post_refund_cancelled),
        ChargebackDebited: Handler(_account, household.post_chargeback),
        ChargebackWon: Handler(_account, household.post_chargeback_won),
        ChargebackLost: Handler(_account, household.post_chargeback_lost),
        PaymentReturned: Handler(_account, household.post_return),
        RecoveryPaid: Handler(_account, household.post_recovery),
        TransferSent: Handler(_account, household.post_transfer),
        TransferReceived: Handler(_account, household.post_transfer_received),
        TransferReturned: Handler(_account, household.post_transfer_returned),
        ReportPartImported: Handler(_processor, processor.take_part),
        ReportImported: Handler(_processor, processor.take_report),
        BankStatementImported: Handler(_bank, bank.take_statement),
        ReconcileDay: Handler(_reconciled, reconciled.reconcile),
        ReviewExceptions: Handler(_reconciled, reconciled.review),
        ExplanationRequested: Handler(_reconciled, reconciled.explain),
        JournalRequested: Handler(_account, direct.request_journal),
        ReversalRequested: Handler(_account, direct.request_reversal),
        AccountChangeRequested: Handler(_account, direct.request_change),
        ProposalDecisionRequested: Handler(_account, direct.decide_proposal),
        LapseProposal: Handler(_account, direct.lapse),
        EndClosing: Handler(_account, direct.end_closing),
        ReportTrialBalance: Handler(_account, trial.report),
    },
)
