"""A bank account's statements: kept as they come, with the entries of payouts that arrived and of the bank's fees.

Cheques are booked by the household that they are of; what a statement calls `other` is booked by nobody, and open
until it is explained.
"""

from collections.abc import Sequence

from services.ledger.domain.entries import checked_day, followed_by
from services.ledger.domain.reconciled import Reconciled, stream_of
from services.ledger.domain.rules import Step, leg
from shared.contracts.billing import BankStatementImported
from shared.contracts.event import Event
from shared.contracts.gateway import BankLine
from shared.contracts.ledger import StatementTaken
from shared.decider import Context

NAMED_BY_OTHERS = ("payout", "lockbox")


def reference_of(line: BankLine) -> str:
    """Return under which reference a line meets the books: its payout's or cheque's name, else its own."""
    return (line.reference if line.kind in NAMED_BY_OTHERS else "") or line.line_ref


def take_statement(fact: BankStatementImported, state: Reconciled, context: Context) -> Sequence[Event]:
    """Keep a statement in the ledger's own log: PR-05b for each payout, PR-22 for each fee."""
    taken = StatementTaken(
        statement_id=fact.statement_id,
        bank_account=fact.bank_account,
        day=checked_day(fact.day),
        currency=fact.currency,
        opening_minor=fact.opening_minor,
        closing_minor=fact.closing_minor,
        lines=fact.lines,
    )
    steps = [step for line in fact.lines for step in _steps(fact, line)]
    return followed_by(taken, steps, stream_of("1010", fact.bank_account), context)


def _steps(statement: BankStatementImported, line: BankLine) -> list[Step]:
    """PR-05b: D 1010 / C 1126; PR-22: D 5020 / C 1010; the mirror where money went the other way."""
    came, minor = line.amount_minor > 0, abs(line.amount_minor)
    cash = leg("D" if came else "C", "1010", statement.bank_account, minor)
    reference = reference_of(line)
    match line.kind:
        case "payout":
            rule, other = "PR-05b", leg("C" if came else "D", "1126", reference, minor)
        case "fee":
            rule, other = "PR-22", leg("C" if came else "D", "5020", statement.bank_account, minor)
        case "lockbox" | "check_returned" | "other":
            return []
    postings = (cash, other) if came else (other, cash)
    return [Step(rule, statement.day, statement.currency, postings, reference=reference)]
