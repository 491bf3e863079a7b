"""Bank statements: where one is, and what each line of one must obey that no type can say."""

import re
from collections.abc import Sequence
from enum import StrEnum

from shared.contracts.gateway import BankLine

BANK_ACCOUNT = re.compile(r"^[a-z0-9][a-z0-9-]{0,31}$")
RETURNED = "check_returned"


class StatementStatus(StrEnum):
    """Where a bank statement is; `accepted` until billing speaks."""

    ACCEPTED = "accepted"
    IMPORTED = "imported"
    REFUSED = "refused"


FINAL_STATEMENT = frozenset({StatementStatus.IMPORTED, StatementStatus.REFUSED})


def statement_status(imported: bool, refused: bool) -> StatementStatus:
    """Return a statement's status; one that was imported was not refused."""
    if imported:
        return StatementStatus.IMPORTED
    return StatementStatus.REFUSED if refused else StatementStatus.ACCEPTED


def wrong_bank_line(lines: Sequence[BankLine]) -> tuple[int, str, str] | None:
    """Return number, field and code of the first line that breaks a rule.

    Money moves, each line has a name of its own, and only the line of a returned cheque takes money out of a payment.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if line.amount_minor == 0:
            return number, "amount_minor", "amount_zero"
        if line.line_ref in seen:
            return number, "line_ref", "line_repeated"
        seen.add(line.line_ref)
        if line.kind == RETURNED:
            if line.amount_minor > 0:
                return number, "amount_minor", "amount_not_negative"
            if line.payment_id is None:
                return number, "payment_id", "field_missing"
        elif line.payment_id is not None:
            return number, "payment_id", "payment_not_expected"
    return None
