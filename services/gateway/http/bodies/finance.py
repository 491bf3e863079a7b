"""Bodies of what finance hands in: cheques, bank statements, and why an exception is open."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.domain.statements import BANK_ACCOUNT, wrong_bank_line
from services.gateway.http.bodies.household import MOST_LINES
from services.gateway.http.bodies.parsing import (
    AccountIdText,
    AmountBody,
    Body,
    DayText,
    InvoiceIdText,
    NoteText,
    PaymentIdText,
    SignedMinor,
    Text,
    check_day,
)
from shared.contracts.gateway import BankLine
from shared.http.problems import Problem

BankAccountText = Annotated[str, Field(max_length=32, pattern=BANK_ACCOUNT.pattern, examples=["lockbox-1"])]


class ReceiptBody(Body):
    """A cheque in the bank's lockbox; without `invoice_id` it pays the household's oldest open bills."""

    account_id: AccountIdText
    invoice_id: InvoiceIdText | None = None
    amount: AmountBody
    bank_account: BankAccountText
    bank_reference: Text
    received_on: DayText


class StatementLineBody(Body):
    """One line as the bank names it; below 0 where money went out. A returned cheque names the payment that it was."""

    line_ref: Text
    kind: Literal["payout", "lockbox", "check_returned", "fee", "other"]
    amount_minor: SignedMinor
    reference: Text
    payment_id: PaymentIdText | None = None


class BankStatementBody(Body):
    """A day of a bank account, or a page of one: opening and all lines come to closing."""

    bank_account: BankAccountText
    day: DayText
    currency: Literal["USD"]
    opening_minor: SignedMinor
    closing_minor: SignedMinor
    lines: Annotated[list[StatementLineBody], Field(max_length=MOST_LINES)]


class ExplanationBody(Body):
    """`note` is kept sealed, apart from every event."""

    reason: Literal["timing", "processor_error", "bank_error", "booking_error", "fraud", "under_investigation"]
    note: NoteText | None = None


def check_receipt(body: ReceiptBody, today: date) -> None:
    """Return where a cheque obeys the rules its types cannot say, else raise the Problem."""
    check_day(body.received_on, today, "/received_on")


def check_statement(body: BankStatementBody, today: date) -> tuple[BankLine, ...]:
    """Return the lines of a statement that obeys the rules its types cannot say, else raise the Problem."""
    check_day(body.day, today, "/day")
    lines = tuple(
        BankLine(
            line_ref=line.line_ref,
            kind=line.kind,
            amount_minor=line.amount_minor,
            reference=line.reference,
            payment_id=line.payment_id,
        )
        for line in body.lines
    )
    wrong = wrong_bank_line(lines)
    if wrong is not None:
        number, field, code = wrong
        raise Problem(code, f"/lines/{number}/{field}")
    if body.opening_minor + sum(line.amount_minor for line in lines) != body.closing_minor:
        raise Problem("statement_unbalanced", "/closing_minor")
    return lines
