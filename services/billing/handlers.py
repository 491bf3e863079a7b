"""Which fact or command concerns which stream, and what decides it; the writer loads and appends."""

from collections.abc import Callable
from typing import Any

from services.billing.domain import commands, household, outcomes, reports, requests
from shared.contracts.gateway import AccountRequested, InvoiceRequested, PaymentRequested, WebhookReceived
from shared.decider import Decide, Handler, Registry, StreamKind

HOUSEHOLD = StreamKind("acc", household.Household, household.initial, household.evolve)
PROCESSOR = StreamKind("prc", reports.Processor, reports.initial, reports.evolve)


def processor_stream(processor: str) -> str:
    """Return the stream of a processor."""
    return f"prc_{processor}"


def _of_household(decide: Decide) -> Handler:
    stream: Callable[[Any], str | None] = lambda message: message.account_id  # noqa: E731
    return Handler(stream, decide)


def _of_processor(decide: Decide) -> Handler:
    return Handler(lambda message: processor_stream(message.processor), decide)


REGISTRY = Registry(
    service="billing",
    kinds=(HOUSEHOLD, PROCESSOR),
    handlers={
        AccountRequested: _of_household(requests.open_account),
        InvoiceRequested: _of_household(requests.issue_invoice),
        PaymentRequested: _of_household(requests.plan_payment),
        WebhookReceived: _of_household(outcomes.nudge),
        commands.NudgeAttempt: _of_household(outcomes.nudge),
        commands.RegisterAttempt: _of_household(outcomes.register),
        commands.SettleAttempt: _of_household(outcomes.settle),
        commands.DeclineAttempt: _of_household(outcomes.decline),
        commands.CancelAttempt: _of_household(outcomes.cancel),
        commands.MarkUnknown: _of_household(outcomes.mark_unknown),
        commands.RequireAction: _of_household(outcomes.require_action),
        commands.FoundCharge: _of_household(outcomes.found_charge),
        commands.DueReports: _of_processor(reports.due),
        commands.ImportReportPart: _of_processor(reports.import_part),
        commands.ImportReport: _of_processor(reports.import_header),
    },
)
