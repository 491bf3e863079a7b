"""A bank account's statements: each page follows the one before, each line is taken once."""

import msgspec

from shared.contracts.billing import (
    BankStatementImported,
    BankStatementRefused,
    CheckReturnReported,
    Refusal,
)
from shared.contracts.event import Event
from shared.contracts.gateway import BankStatementReceived
from shared.decider import Context

LINES_KEPT = 20_000


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one bank account's stream; `last_day` "" before the first page. `lines`: the newest lines' names."""

    last_day: str = ""
    closing_minor: int = 0
    currency: str = ""
    lines: tuple[str, ...] = ()


def initial(stream: str) -> Bank:
    """Return a bank account of which nothing was reported."""
    return Bank()


def evolve(state: Bank, event: Event) -> Bank:
    """Return the bank account after an event."""
    match event:
        case BankStatementImported():
            lines = (*state.lines, *(line.line_ref for line in event.lines))[-LINES_KEPT:]
            return Bank(last_day=event.day, closing_minor=event.closing_minor, currency=event.currency, lines=lines)
        case _:
            return state


def import_statement(request: BankStatementReceived, state: Bank, context: Context) -> tuple[Event, ...]:
    """Take a page and tell households of their returned cheques, or refuse it whole.

    A page that does not add up raises ValueError: whoever read it was wrong.
    """
    if request.opening_minor + sum(line.amount_minor for line in request.lines) != request.closing_minor:
        raise ValueError(f"{request.statement_id} does not add up")
    reason = _refusal(request, state)
    if reason is not None:
        return (
            BankStatementRefused(statement_id=request.statement_id, bank_account=request.bank_account, reason=reason),
        )
    imported = BankStatementImported(
        statement_id=request.statement_id,
        bank_account=request.bank_account,
        day=request.day,
        currency=request.currency,
        opening_minor=request.opening_minor,
        closing_minor=request.closing_minor,
        lines=request.lines,
    )
    returns = [
        CheckReturnReported(
            bank_account=request.bank_account,
            line_ref=line.line_ref,
            routed_to=line.account_id,
            payment_id=line.payment_id,
            amount_minor=-line.amount_minor,
            currency=request.currency,
            returned_on=request.day,
        )
        for line in request.lines
        if line.kind == "check_returned" and line.account_id is not None and line.payment_id is not None
    ]
    return (imported, *returns)


def _refusal(request: BankStatementReceived, state: Bank) -> Refusal | None:
    if state.currency not in ("", request.currency):
        return Refusal.CURRENCY_MISMATCH
    known = set(state.lines)
    if any(line.line_ref in known for line in request.lines):
        return Refusal.LINE_REPEATED
    if request.day < state.last_day:
        return Refusal.STATEMENT_OUT_OF_ORDER
    if state.last_day and request.opening_minor != state.closing_minor:
        return Refusal.OPENING_DIFFERS
    return None
