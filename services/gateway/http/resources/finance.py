"""What finance sees: bank statements, each day's reconciliation, exceptions."""

from typing import Annotated

from msgspec import Meta

from services.gateway.domain.reconciliation import ExceptionState
from services.gateway.domain.statements import StatementStatus
from shared.contracts.ledger import ExceptionKind, ExplanationReason, ReconciledAccount
from shared.http.resource import Day, Instant, Minor, Next, Position, Reason, Resource


class BankStatement(Resource, frozen=True, kw_only=True):
    """A bank statement as it was handed in; `imported`: the books know it, `refused`: nothing of it was taken in."""

    statement_id: str
    bank_account: str
    day: Day
    currency: str
    opening_minor: Minor
    closing_minor: Minor
    lines: Annotated[int, Meta(description="How many")]
    status: StatementStatus
    reason: Reason = None
    created_at: Instant
    position: Position


class OpenExceptions(Resource, frozen=True, kw_only=True):
    """How many exceptions were open at the day's end since this many days, and their sum without sign."""

    days: str
    count: int
    minor: Minor


class ReconciledDay(Resource, frozen=True, kw_only=True):
    """A day of one account: 1010 has the bank's balance, 1125 the processor's, 1126 (payouts under way) neither.

    `difference_minor` is the books less that; `unexplained_minor` counts exceptions without a reason, without sign.
    """

    account: ReconciledAccount
    sub_key: Annotated[str, Meta(description="The bank account or the processor")]
    currency: str
    book_minor: Minor
    bank_minor: Minor | None
    processor_minor: Minor | None
    difference_minor: Minor
    unexplained_minor: Minor
    open_exceptions: tuple[OpenExceptions, ...]


class ReconciliationDay(Resource, frozen=True, kw_only=True):
    """What a day came to, of all accounts of which the ledger has reported it; the newest report of each."""

    day: Day
    accounts: tuple[ReconciledDay, ...]
    position: Position


class ReconciliationException(Resource, frozen=True, kw_only=True):
    """An item on which the books and the bank or the processor disagree; `minor` is the books less the other side.

    `missing`: the books lack it; `unknown`: only the books have it; `late`: a payout that the bank has not shown for
    more than three bank days. A resolved one keeps what it was, and how it was explained.
    """

    id: str
    account: ReconciledAccount
    sub_key: str
    currency: str
    kind: ExceptionKind
    minor: Minor
    since: Day
    state: ExceptionState
    reason: Annotated[ExplanationReason | None, Meta(description="Why, as who explained it says")]
    references: tuple[str, ...]
    explained_by: Annotated[str | None, Meta(description="Our own id of who explained it")]
    note: Annotated[str | None, Meta(description="Theirs; shown to finance and auditors")]


class ReconciliationExceptionPage(Resource, frozen=True, kw_only=True):
    items: tuple[ReconciliationException, ...]
    next: Next = None
