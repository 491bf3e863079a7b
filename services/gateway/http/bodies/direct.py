"""Bodies of entries by hand, of their reversals, and of ledger accounts."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.domain.direct import (
    ACCOUNT_CODE,
    FEWEST_LEGS,
    MOST_LEGS,
    is_balanced,
    wrong_amount,
)
from services.gateway.http.bodies.parsing import Body, DayText, NoteText, PaidMinor, Text, check_day
from shared.contracts.direct import Leg
from shared.http.problems import Problem

Reason = Literal["correction", "between_banks", "opening_balance", "bank_item", "fee", "write_off"]
CodeText = Annotated[
    str,
    Field(min_length=4, max_length=4, pattern=ACCOUNT_CODE.pattern, description="As in the chart", examples=["5020"]),
]


class LegBody(Body):
    """`side` is `D` (debit) or `C` (credit)."""

    code: CodeText
    sub_key: Text
    side: Literal["D", "C"]
    amount_minor: PaidMinor


class JournalBody(Body):
    """Debits and credits have the same sum; `note` is kept sealed, apart from every event.

    `reference` names the line of the processor's report or of the bank's statement that the journal books: the two are
    reconciled with each other.
    """

    effective_date: DayText
    currency: Literal["USD"]
    reason: Reason
    legs: Annotated[list[LegBody], Field(min_length=FEWEST_LEGS, max_length=MOST_LEGS)]
    note: NoteText | None = None
    reference: Text | None = None


class ReversalBody(Body):
    """Without `legs` all that is left of the entry is taken back; each of `legs` is a leg of it, with how much."""

    effective_date: DayText
    reason: Reason
    legs: Annotated[list[LegBody], Field(min_length=1, max_length=MOST_LEGS)] | None = None
    note: NoteText | None = None


class LedgerAccountBody(Body):
    code: CodeText
    sub_key: Text
    currency: Literal["USD"]


def check_journal(body: JournalBody, today: date) -> tuple[Leg, ...]:
    """Return the legs of a journal that obeys the rules its types cannot say, else raise the Problem."""
    check_day(body.effective_date, today, "/effective_date")
    return _checked(body.legs)


def check_reversal(body: ReversalBody, today: date) -> tuple[Leg, ...]:
    """Return the parts that a reversal names, none where all is meant; what breaks a rule raises the Problem."""
    check_day(body.effective_date, today, "/effective_date")
    return _checked(body.legs or ())


def _checked(bodies: Sequence[LegBody]) -> tuple[Leg, ...]:
    legs = tuple(
        Leg(code=leg.code, sub_key=leg.sub_key, side=leg.side, amount_minor=leg.amount_minor) for leg in bodies
    )
    too_large = wrong_amount(legs)
    if too_large is not None:
        raise Problem("amount_too_large", f"/legs/{too_large}/amount_minor")
    if not is_balanced(legs):
        raise Problem("journal_unbalanced", "/legs")
    return legs
