"""Direct entries that may still be taken back, whole or in parts: what is left of each leg, for life."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from shared.contracts.direct import Leg
from shared.contracts.ledger import EntryPosted, Posting

Side = Literal["D", "C"]
Place = tuple[str, str, Side]
OTHER: dict[Side, Side] = {"D": "C", "C": "D"}


class Takeable(msgspec.Struct, frozen=True):
    """An entry's currency and reference, and each leg with what of it was not taken back; legs of one account and side
    are one.
    """

    currency: str
    left: tuple[Leg, ...]
    reference: str | None = None

    def less(self, postings: Iterable[Posting]) -> "Takeable":
        """Return what is left after the postings of a reversal, each on the other side of the entry's own."""
        taken = sums_of(mirrored(postings))
        legs = ((leg, leg.amount_minor - taken.get(place_of(leg), 0)) for leg in self.left)
        left = tuple(msgspec.structs.replace(leg, amount_minor=minor) for leg, minor in legs if minor > 0)
        return msgspec.structs.replace(self, left=left)

    def covers(self, legs: Iterable[Leg]) -> bool:
        """Tell whether as much is left of each leg as a reversal would post on its other side; a reversal of nothing
        is not covered.
        """
        left = sums_of(self.left)
        asked = sums_of(mirrored(legs))
        return bool(asked) and all(minor <= left.get(place, 0) for place, minor in asked.items())


def takeable(entry: EntryPosted) -> Takeable:
    """Return an entry of which nothing was taken back yet."""
    sums = sums_of(entry.postings)
    return Takeable(
        entry.currency,
        tuple(Leg(code=code, sub_key=key, side=side, amount_minor=minor) for (code, key, side), minor in sums.items()),
        entry.reference,
    )


def place_of(leg: Leg | Posting) -> Place:
    """Return what legs are told apart by."""
    return (leg.code, leg.sub_key, leg.side)


def sums_of(legs: Iterable[Leg | Posting]) -> dict[Place, int]:
    """Return the amount of each account's side."""
    sums: dict[Place, int] = {}
    for leg in legs:
        sums[place_of(leg)] = sums.get(place_of(leg), 0) + leg.amount_minor
    return sums


def mirrored(legs: Iterable[Leg | Posting]) -> tuple[Leg, ...]:
    """Return the legs on their other sides."""
    return tuple(
        Leg(code=leg.code, sub_key=leg.sub_key, side=OTHER[leg.side], amount_minor=leg.amount_minor) for leg in legs
    )
