"""What the demo will do, from a seed alone: households, bills, payments, and which posts are sent twice."""

import random

import msgspec

FIRST_NAMES = ("Ana", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jamal", "Karin", "Luis")
LAST_NAMES = ("Adams", "Brook", "Castillo", "Diaz", "Evans", "Flores", "Gupta", "Hill", "Iglesias", "Jones", "Kim")
TOKENS = ("pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_amex")
REPEAT_EVERY = 10


class Bill(msgspec.Struct, frozen=True):
    """One premium line in minor units; the member owes gross less both subsidies."""

    policy_id: str
    coverage_month: str
    due_date: str
    gross_minor: int
    aptc_minor: int
    state_subsidy_minor: int

    @property
    def member_minor(self) -> int:
        """What the member owes."""
        return self.gross_minor - self.aptc_minor - self.state_subsidy_minor


class Household(msgspec.Struct, frozen=True):
    """One household of the demo; `number` runs from 1."""

    number: int
    name: str
    email: str
    language: str
    bill: Bill
    token: str
    posts_twice: bool


def plan(households: int, seed: int, coverage_month: str, due_date: str) -> list[Household]:
    """Return the households of a seed; the same arguments give the same list."""
    draw = random.Random(seed)
    return [_household(number, seed, draw, coverage_month, due_date) for number in range(1, households + 1)]


def _household(number: int, seed: int, draw: random.Random, coverage_month: str, due_date: str) -> Household:
    first, last = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
    gross = draw.randrange(25_000, 120_000)
    aptc = draw.choice((0, gross // 3, gross * 3 // 5))
    state = draw.choice((0, 0, 1_500, 4_200))
    return Household(
        number=number,
        name=f"{first} {last}",
        email=f"household-{seed}-{number}@example.org",
        language=draw.choice(("en", "en", "es")),
        bill=Bill(f"POL-{seed}-{number}", coverage_month, due_date, gross, aptc, state),
        token=draw.choice(TOKENS),
        posts_twice=number % REPEAT_EVERY == 0,
    )
