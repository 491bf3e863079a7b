"""Bodies of a household's POSTs: its account, its bills, its payments."""

from typing import Annotated, Literal

from pydantic import Field

from services.gateway.domain.fields import EMAIL, is_day, is_return_url, wrong_line
from services.gateway.http.bodies.parsing import (
    AccountIdText,
    AmountBody,
    Body,
    DayText,
    InvoiceIdText,
    PremiumMinor,
    Text,
)
from shared.contracts.event import PremiumLine
from shared.http.problems import Problem

MOST_LINES = 200
MOST_URL = 2_048
MonthText = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", examples=["2026-03"])]


class MethodBody(Body):
    """A card, by the processor's name of it; the number never comes here."""

    type: Literal["card"]
    token: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_]+$", examples=["pm_card_visa"])]


class PaymentBody(Body):
    """`policy_id`: pay this policy's lines only. `accept_credit`: what the bill does not need shall stay as credit.

    `return_url` is where the member comes back to after the card's bank has asked them something.
    """

    account_id: AccountIdText
    invoice_id: InvoiceIdText
    amount: AmountBody
    method: MethodBody
    policy_id: Text | None = None
    accept_credit: bool = False
    return_url: (
        Annotated[
            str,
            Field(max_length=MOST_URL, description="https, or http on this machine", examples=["https://a.example/"]),
        ]
        | None
    ) = None


class LineBody(Body):
    """One policy and month; the member owes gross less both subsidies, which must not be below zero."""

    policy_id: Text
    coverage_month: MonthText
    gross_minor: PremiumMinor
    aptc_minor: PremiumMinor = 0
    state_subsidy_minor: PremiumMinor = 0


class InvoiceBody(Body):
    account_id: AccountIdText
    due_date: DayText
    currency: Literal["USD"]
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MOST_LINES)]

    def premium_lines(self) -> tuple[PremiumLine, ...]:
        """Return the lines as the event carries them."""
        return tuple(
            PremiumLine(
                policy_id=line.policy_id,
                coverage_month=line.coverage_month,
                gross_minor=line.gross_minor,
                aptc_minor=line.aptc_minor,
                state_subsidy_minor=line.state_subsidy_minor,
            )
            for line in self.lines
        )


class AccountBody(Body):
    """Name and address are kept sealed, apart from every event."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["Ana Ruiz"])]
    email: Annotated[str, Field(min_length=3, max_length=254, pattern=EMAIL.pattern, examples=["ana@example.org"])]
    language: Literal["en", "es"]


def check_payment(body: PaymentBody) -> None:
    """Return where a payment obeys the rules its types cannot say, else raise the Problem."""
    if body.return_url is not None and not is_return_url(body.return_url):
        raise Problem("return_url_invalid", "/return_url")


def check_invoice(body: InvoiceBody) -> tuple[PremiumLine, ...]:
    """Return the lines of an invoice that obeys the rules its types cannot say, else raise the Problem."""
    if not is_day(body.due_date):
        raise Problem("date_invalid", "/due_date")
    lines = body.premium_lines()
    wrong = wrong_line(lines)
    if wrong is not None:
        number, field, code = wrong
        raise Problem(code, f"/lines/{number}/{field}")
    return lines
