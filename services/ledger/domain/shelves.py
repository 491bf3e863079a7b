"""A map that is cheap to copy although it grows: states that keep much, or keep it for life, are made of it."""

from collections.abc import Iterator, Mapping
from typing import Generic, Self, TypeVar

import msgspec

V = TypeVar("V")

SHELF_SIZE = 8


class Shelves(msgspec.Struct, Generic[V], frozen=True, gc=False):
    """Two shelves: only the new one is copied, until it is full and joins the old one.

    It is full at 8 names, or at the square root of what is old: so a change copies little however much there is. A
    value that is nothing (0, an empty tuple or text) counts as none, and is forgotten when the shelves join.
    """

    old: dict[str, V] = {}
    new: dict[str, V] = {}

    def find(self, name: str) -> V | None:
        """Return what stands under a name, None where nothing does."""
        found = self.new.get(name)
        return (self.old.get(name) if found is None else found) or None

    def put(self, name: str, value: V) -> Self:
        """Return the map with this value under the name."""
        return self.put_all({name: value})

    def put_all(self, values: Mapping[str, V]) -> Self:
        """Return the map with these values under their names."""
        new = {**self.new, **values}
        if len(new) <= SHELF_SIZE or len(new) ** 2 <= len(self.old):
            return type(self)(self.old, new)
        joined = {**self.old, **new}
        for name, value in new.items():
            if not value:
                del joined[name]
        return type(self)(joined)

    def items(self) -> Iterator[tuple[str, V]]:
        """Return each name with what stands under it, by a walk through all."""
        yield from ((name, value) for name, value in {**self.old, **self.new}.items() if value)
