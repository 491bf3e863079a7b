"""Positions as callers see them: `gateway.3.17`, several by commas; a read may ask for at least these."""

import re
from collections.abc import Iterable

import msgspec

_ONE = re.compile(r"^(gateway|billing|ledger|notifier)\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,17})\Z")
MOST = 64


class Place(msgspec.Struct, frozen=True):
    """A position of one shard of one service's log."""

    service: str
    shard: int
    position: int

    def __str__(self) -> str:
        return f"{self.service}.{self.shard}.{self.position}"


def parse_places(text: str) -> tuple[Place, ...] | None:
    """Return the places that a `min_position` names, None where it is none (1 to 64 of them)."""
    found = [_ONE.match(part) for part in text.split(",")]
    if len(found) > MOST or any(match is None for match in found):
        return None
    return tuple(Place(m[1], int(m[2]), int(m[3])) for m in found if m is not None)


def places_text(places: Iterable[Place]) -> str:
    """Return places as a caller gets them; those of which nothing is known (position 0) are left out."""
    return ",".join(str(place) for place in places if place.position)
