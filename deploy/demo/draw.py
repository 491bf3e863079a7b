"""What chance decides of a household: names, amounts, cards; the same seed and number give the same household."""

import random
from typing import TypeVar

from deploy.demo.acts import Bill, Language, Line
from deploy.demo.moments import DUE_DAY, SECOND_DUE_DAY

T = TypeVar("T")

FIRST_NAMES = ("Ana", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jamal", "Karin", "Luis")
LAST_NAMES = ("Adams", "Brook", "Castillo", "Diaz", "Evans", "Flores", "Gupta", "Hill", "Iglesias", "Jones", "Kim")
GOOD_CARDS = ("pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_amex", "pm_card_discover")
APPROVAL_ABOVE_MINOR = 50_000


class Draw:
    """The chance of one household."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = random.Random(f"piperoll demo {seed} {number}")

    def one_of(self, *things: T) -> T:
        """Return one of the things."""
        return self._random.choice(things)

    def minor(self, least: int, most: int) -> int:
        """Return an amount of `least` to `most`, both possible."""
        return self._random.randint(least, most)

    def name(self) -> str:
        """Return a person's name."""
        return f"{self.one_of(*FIRST_NAMES)} {self.one_of(*LAST_NAMES)}"

    def language(self) -> Language:
        """Return what the household reads; one in three reads Spanish."""
        return self._random.choice(("en", "en", "es"))

    def card(self) -> str:
        """Return a card that pays."""
        return self.one_of(*GOOD_CARDS)

    def line(self, policy: str, share_minor: int) -> Line:
        """Return a premium of which the member owes `share_minor`: subsidies make up the rest."""
        aptc = self.one_of(0, self.minor(5_000, 70_000), self.minor(5_000, 70_000))
        state = self.one_of(0, 0, self.minor(1_000, 6_000))
        return Line(policy, share_minor + aptc + state, aptc, state)

    def bill(self, moment: int, policies: str = "A", *, large: bool = False) -> Bill:
        """Return the first month's bill; the member's share of each policy is above 500.00 if `large`, else below."""
        lines = tuple(self.line(policy, self._share(large)) for policy in policies)
        return Bill(moment=moment, name="first", month=0, due_day=DUE_DAY, lines=lines)

    def second_bill(self, moment: int, share_minor: int | None = None) -> Bill:
        """Return the next month's bill, of policy A."""
        line = self.line("A", self._share(False) if share_minor is None else share_minor)
        return Bill(moment=moment, name="second", month=1, due_day=SECOND_DUE_DAY, lines=(line,))

    def _share(self, large: bool) -> int:
        if large:
            return self.minor(APPROVAL_ABOVE_MINOR + 1, 2 * APPROVAL_ABOVE_MINOR)
        return self.minor(8_000, 24_000)
