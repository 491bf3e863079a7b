"""Money: integer minor units and a currency; mixing raises."""

from typing import Self

import msgspec

from shared.errors import BadInput

MAX_MINOR = 2**63 - 1


class Money(msgspec.Struct, frozen=True, order=False):
    """An amount in minor units (cents) of one ISO 4217 currency.

    `Money(1250, "USD")` is 12.50 dollars. Arithmetic between two currencies raises `CurrencyMismatch`.
    """

    minor: int
    currency: str

    def __add__(self, other: Self) -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: Self) -> bool:
        return self.minor <= self._same(other).minor

    def _same(self, other: Self) -> Self:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other


class CurrencyMismatch(BadInput):
    """Two amounts of different currencies met in one sum."""


def allocate(amount_minor: int, weights: list[int]) -> list[int]:
    """Return `amount_minor` split by `weights`, largest remainder first, earlier weight wins a tie.

    The parts sum to the amount exactly. Weights are non-negative with a positive sum, else ValueError.
    """
    total = sum(weights)
    if total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and sum to more than 0")
    parts = [amount_minor * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount_minor * weights[i] % total), i))
    for i in by_remainder[: amount_minor - sum(parts)]:
        parts[i] += 1
    return parts
