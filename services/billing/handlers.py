"""Which fact or command concerns which stream, and what decides it; the writer loads and appends."""

from collections.abc import Callable
from typing import Any

from services.billing.domain import (
    bank,
    cases,
    chargebacks,
    checks,
    commands,
    decisions,
    evolve,
    household,
    merges,
    nudges,
    objects,
    outcomes,
    refunds,
    reports,
    requests,
    transfers,
    voids,
)
from shared.contracts.billing import (
    CheckReturnReported,
    DisputeTraced,
    MergeAnswered,
    MergeProposed,
    MonthsMoved,
    TransferReceived,
    TransferRejected,
    TransferSent,
)
from shared.contracts.gateway import (
    AccountRequested,
    BankStatementReceived,
    CaseDecisionRequested,
    CheckReceived,
    InvoiceRequested,
    InvoiceVoidRequested,
    MergeRequested,
    PaymentCancellationRequested,
    PaymentDecisionRequested,
    PaymentRequested,
    RefundApprovalRequested,
    RefundRequested,
    TransferRequested,
    WebhookReceived,
)
from shared.decider import Context, Decide, Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", household.Household, household.initial, evolve.evolve)
PROCESSOR = StreamKind("prc", reports.Processor, reports.initial, reports.evolve)
BANK = StreamKind("bnk", bank.Bank, bank.initial, bank.evolve)
OBJECT = StreamKind("obj", objects.Thing, objects.initial, objects.evolve)


def processor_stream(processor: str) -> str:
    """Return the stream of a processor."""
    return f"prc_{processor}"


def bank_stream(bank_account: str) -> str:
    """Return the stream of a bank account."""
    return f"bnk_{bank_account}"


def _of_household(decide: Decide) -> Handler:
    stream: Callable[[Any], str | None] = lambda message: message.account_id  # noqa: E731
    return Handler(stream, decide)


def _routed(decide: Decide) -> Handler:
    return Handler(lambda message: message.routed_to, decide)


def _of_processor(decide: Decide) -> Handler:
    return Handler(lambda message: processor_stream(message.processor), decide)


def _of_object(decide: Decide) -> Handler:
    return Handler(lambda message: objects.stream_of(message.object_id), decide)


def _webhook_stream(message: WebhookReceived) -> str | None:
    """Return the household that the object names; a dispute names none and has a stream of its own."""
    if message.account_id is None and message.kind.startswith(objects.DISPUTE):
        return objects.stream_of(message.object_id)
    return message.account_id


def _decide_webhook(message: WebhookReceived, state: Any, context: Context) -> Any:
    if message.account_id is None:
        return objects.nudge_object(message, state, context)
    return nudges.nudge(message, state, context)


REGISTRY = Registry(
    service="billing",
    kinds=(HOUSEHOLD, PROCESSOR, BANK, OBJECT),
    handlers={
        AccountRequested: _of_household(requests.open_account),
        InvoiceRequested: _of_household(requests.issue_invoice),
        InvoiceVoidRequested: _of_household(voids.void_invoice),
        PaymentRequested: _of_household(requests.plan_payment),
        PaymentCancellationRequested: _of_household(decisions.cancel_payment),
        PaymentDecisionRequested: _of_household(decisions.decide_held),
        CheckReceived: _of_household(checks.post_check),
        CaseDecisionRequested: _of_household(cases.decide_case),
        RefundRequested: _of_household(refunds.request_refund),
        RefundApprovalRequested: _of_household(refunds.approve_refund),
        TransferRequested: _of_household(transfers.request_transfer),
        MergeRequested: _of_household(merges.request_merge),
        BankStatementReceived: Handler(lambda message: bank_stream(message.bank_account), bank.import_statement),
        WebhookReceived: Handler(_webhook_stream, _decide_webhook),
        CheckReturnReported: _routed(checks.return_check),
        DisputeTraced: _routed(chargebacks.note_dispute),
        TransferSent: _routed(transfers.receive),
        TransferReceived: _routed(transfers.complete),
        TransferRejected: _routed(transfers.take_back),
        MergeProposed: _routed(merges.answer_merge),
        MergeAnswered: _routed(merges.end_merge),
        MonthsMoved: _routed(merges.take_months),
        commands.NudgeAttempt: _of_household(nudges.nudge),
        commands.RegisterAttempt: _of_household(outcomes.register),
        commands.SettleAttempt: _of_household(outcomes.settle),
        commands.DeclineAttempt: _of_household(outcomes.decline),
        commands.CancelAttempt: _of_household(outcomes.cancel),
        commands.MarkUnknown: _of_household(outcomes.mark_unknown),
        commands.RequireAction: _of_household(outcomes.require_action),
        commands.FoundCharge: _of_household(outcomes.found_charge),
        commands.ExpireHold: _of_household(decisions.expire_hold),
        commands.NoteRefund: _of_household(refunds.note_refund),
        commands.EndRefund: _of_household(refunds.end_refund),
        commands.NudgeObject: _of_object(objects.nudge_object),
        commands.TraceDispute: _of_object(objects.trace_dispute),
        commands.IgnoreObject: _of_object(objects.ignore_object),
        commands.DueReports: _of_processor(reports.due),
        commands.ImportReportPart: _of_processor(reports.import_part),
        commands.ImportReport: _of_processor(reports.import_header),
    },
)
