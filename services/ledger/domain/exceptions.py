"""What the books and the other side (processor, bank) disagree on, named, with its age.

The kinds: `missing` (the books lack it), `unknown` (only the books have it), `doubled` (one side has the same amount
more often than the other), `wrong_amount` (both have it, with different sums), `late` (a payout that the bank has not
shown for more than three bank days).
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from services.ledger.domain.bank_days import bank_day_after
from shared.contracts.ledger import AgeBucket, ExceptionKind, ReconciledAccount
from shared.ids import base32, canonical_json

BANK_DAYS_UNDER_WAY = 3
ALL_DAYS = "9999-12-31"
ID_BYTES = 14


class Moved(msgspec.Struct, frozen=True):
    """What both sides have under one reference on one day: how many lines, and their sum."""

    day: str
    book_count: int
    book_minor: int
    outside_count: int
    outside_minor: int


class Side(msgspec.Struct, frozen=True):
    """One side's lines under a reference up to a day: how many, and their sum."""

    count: int
    minor: int


class Match(msgspec.Struct, frozen=True):
    """Both sides of one reference; `moved` is in the order of its days."""

    reference: str
    moved: tuple[Moved, ...]

    def book_on(self, day: str) -> Side:
        """Return the books' side as it stood at the end of a day."""
        moved = [one for one in self.moved if one.day <= day]
        return Side(sum(one.book_count for one in moved), sum(one.book_minor for one in moved))

    def outside_on(self, day: str) -> Side:
        """Return the other side as it stood at the end of a day."""
        moved = [one for one in self.moved if one.day <= day]
        return Side(sum(one.outside_count for one in moved), sum(one.outside_minor for one in moved))

    @property
    def since(self) -> str:
        """The day of the first line on either side."""
        return self.moved[0].day


class OpenException(msgspec.Struct, frozen=True):
    """`minor` is book less the other side, `since` the day of the first line on either side."""

    reference: str
    kind: ExceptionKind
    minor: int
    since: str


def exception_id(shard: int, account: ReconciledAccount, sub_key: str, currency: str, reference: str) -> str:
    """Return the id of an exception: the same item opened again has the same id."""
    name = canonical_json([account, sub_key, currency, reference])
    return f"exc_{shard}_{base32(hashlib.sha256(name).digest()[:ID_BYTES])}"


def open_on(account: ReconciledAccount, matches: Iterable[Match], day: str) -> tuple[OpenException, ...]:
    """Return what was open at the end of `day`, of payouts only those that were late on it."""
    if account == "1126":
        return overdue(payouts_open(matches, day, day), day)
    sides = [(match, match.book_on(day), match.outside_on(day)) for match in matches]
    return tuple(_difference(*one) for one in sides if one[1].minor != one[2].minor)


def payouts_open(matches: Iterable[Match], reported_on: str, through: str = ALL_DAYS) -> tuple[OpenException, ...]:
    """Return the payouts of which the lines up to `through` differ; those that only the books have are `late`.

    The processor has reported up to `reported_on`: what the bank shows later than that is not missing yet.
    """
    found = []
    for match in matches:
        book, bank = match.book_on(through), match.outside_on(through)
        waits = not book.count and not match.outside_on(reported_on).count
        if book.minor != bank.minor and not waits:
            found.append(_difference(match, book, bank, alone="late"))
    return tuple(found)


def overdue(found: Iterable[OpenException], today: str) -> tuple[OpenException, ...]:
    """Leave out payouts that are under way since not more than three bank days."""
    return tuple(one for one in found if one.kind != "late" or _is_late(one.since, today))


def _is_late(since: str, today: str) -> bool:
    return date.fromisoformat(today) > bank_day_after(date.fromisoformat(since), BANK_DAYS_UNDER_WAY)


def _difference(match: Match, book: Side, outside: Side, alone: ExceptionKind = "unknown") -> OpenException:
    return OpenException(match.reference, _kind(book, outside, alone), book.minor - outside.minor, match.since)


def _kind(book: Side, outside: Side, alone: ExceptionKind) -> ExceptionKind:
    if not book.count:
        return "missing"
    if not outside.count:
        return alone
    if book.count != outside.count and book.minor * outside.count == outside.minor * book.count:
        return "doubled"
    return "wrong_amount"


def by_age(exceptions: Sequence[OpenException], day: str) -> tuple[AgeBucket, ...]:
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
