"""A map that is cheap to copy although it only grows: states that keep something for life are made of it."""

from collections.abc import Iterator
from typing import Generic, Self, TypeVar

import msgspec

V = TypeVar("V")

SHELF_SIZE = 32


class Shelves(msgspec.Struct, Generic[V], frozen=True):
    """Two shelves: only the new one is copied, until it is full and joins the old one.

    It is full at 32 names, or at the square root of what is old: so a change copies little however much there is.
    """

    old: dict[str, V] = {}
    new: dict[str, V] = {}

    def find(self, name: str) -> V | None:
        """Return what stands under a name, None where nothing does."""
        found = self.new.get(name)
        return self.old.get(name) if found is None else found

    def put(self, name: str, value: V) -> Self:
        """Return the map with this value under the name."""
        if len(self.new) < SHELF_SIZE or len(self.new) ** 2 < len(self.old):
            return type(self)(self.old, {**self.new, name: value})
        return type(self)({**self.old, **self.new}, {name: value})

    def items(self) -> Iterator[tuple[str, V]]:
        """Return each name with what stands under it, by a walk through all."""
        yield from self.new.items()
        for name, value in self.old.items():
            if name not in self.new:
                yield name, value
