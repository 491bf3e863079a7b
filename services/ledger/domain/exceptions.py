"""What books and processor disagree on, named, with its age."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import msgspec

from shared.contracts.ledger import AgeBucket


class Kind(StrEnum):
    """Why a reference is open."""

    MISSING = "missing"
    """The processor has it, the books do not."""
    UNKNOWN = "unknown"
    """The books have it, no report of the processor does."""
    DOUBLED = "doubled"
    """One side has the same amount more often than the other."""
    WRONG_AMOUNT = "wrong_amount"
    """Both have it, with different sums."""


class Side(msgspec.Struct, frozen=True):
    """One side's lines under a reference: how many, their sum, the day of the first (None: no line)."""

    count: int
    minor: int
    first_day: str | None

    def on(self, day: str) -> "Side":
        """Return the side as it stood at the end of `day`."""
        return self if self.first_day is not None and self.first_day <= day else NO_LINES


NO_LINES = Side(0, 0, None)


class Match(msgspec.Struct, frozen=True):
    """Both sides of one reference."""

    reference: str
    book: Side
    processor: Side


class OpenException(msgspec.Struct, frozen=True):
    """`minor` is book less processor, `since` the day of the first line on either side."""

    reference: str
    kind: Kind
    minor: int
    since: str


def open_on(matches: Iterable[Match], day: str) -> list[OpenException]:
    """Return what was open at the end of `day`; a reference whose two sides are equal is not."""
    found = []
    for match in matches:
        book, processor = match.book.on(day), match.processor.on(day)
        if book.minor != processor.minor:
            since = min(first for first in (book.first_day, processor.first_day) if first is not None)
            found.append(OpenException(match.reference, _kind(book, processor), book.minor - processor.minor, since))
    return found


def _kind(book: Side, processor: Side) -> Kind:
    if not book.count:
        return Kind.MISSING
    if not processor.count:
        return Kind.UNKNOWN
    if book.count != processor.count and book.minor * processor.count == processor.minor * book.count:
        return Kind.DOUBLED
    return Kind.WRONG_AMOUNT


def by_age(exceptions: Iterable[OpenException], day: str) -> tuple[AgeBucket, ...]:
    """Return count and sum without sign of the exceptions per age in whole days before `day`; empty ages stay in."""
    sums = {"0-1": [0, 0], "2-5": [0, 0], "6-30": [0, 0], "31+": [0, 0]}
    today = date.fromisoformat(day)
    for exception in exceptions:
        age_days = (today - date.fromisoformat(exception.since)).days
        bucket = sums["0-1" if age_days <= 1 else "2-5" if age_days <= 5 else "6-30" if age_days <= 30 else "31+"]
        bucket[0] += 1
        bucket[1] += abs(exception.minor)
    return (
        AgeBucket(days="0-1", count=sums["0-1"][0], minor=sums["0-1"][1]),
        AgeBucket(days="2-5", count=sums["2-5"][0], minor=sums["2-5"][1]),
        AgeBucket(days="6-30", count=sums["6-30"][0], minor=sums["6-30"][1]),
        AgeBucket(days="31+", count=sums["31+"][0], minor=sums["31+"][1]),
    )
