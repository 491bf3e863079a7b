"""Holds the month against what is kept of it: every figure is read from two sides."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.demo.acts import Cheque, Household, Pay
from deploy.demo.bank import Bank
from deploy.demo.books import Books, Charge
from deploy.demo.model import Model
from deploy.demo.moments import DAY_10, MOMENTS
from deploy.demo.outcomes import Outcomes
from deploy.demo.player import Player
from deploy.demo.report import Check

IN_TRANSIT = ("1120", "1260", "2120", "2140", "2310")
MOST_SHOWN = 3


def checks_of_stories(players: Sequence[Player], outcomes: Outcomes) -> list[Check]:
    """Return whether every act came to what it must, and every household stands as the model says."""
    failures = [player.failure for player in players if player.failure is not None]
    named = {
        "balances": "owed_credit_and_balances",
        "payments": "payments_end_as_planned",
        "cases": "cases_and_refunds",
    }
    return [
        _check("every_act_came_to_what_it_must", failures, f"{sum(len(one.household.acts) for one in players)} acts"),
        *(_check(named[about], wrong, f"{len(players)} households") for about, wrong in outcomes.wrong.items()),
    ]


def _check(name: str, wrong: Sequence[str], found: str) -> Check:
    told = [f"{len(wrong)} wrong", *wrong[:MOST_SHOWN]] if wrong else [found]
    return Check(name, not wrong, "; ".join(told))


def charges_as_planned(players: Sequence[Player], model: Model, taken: Sequence[Charge]) -> Check:
    """Return whether each settled payment was charged once, and those that the processor doubled twice."""
    planned: Counter[tuple[str, int]] = Counter()
    for player in players:
        for name, posted in player.payments.items():
            payment = model.members[player.number].payments[name]
            planned[posted.id, payment.act.minor] += payment.charges
    ids = {payment_id for payment_id, _ in planned}
    charged = Counter((one.payment_id, one.amount_minor) for one in taken if one.payment_id in ids)
    wrong = [one[0] for one in charged.keys() | planned.keys() if charged[one] != planned[one]]
    return _check("charges_as_planned", wrong, f"{charged.total()} charges")


def checks_of_books(books: Books, balance_minor: int, under_way_minor: int, bank: Bank) -> list[Check]:
    """Return whether the books agree with the processor's balance, the payouts under way and the bank's closing."""
    of = {code: sum(minor for (one, _), minor in books.by_key.items() if one == code) for code in ("1125", "1126")}
    cash = books.by_key["1010", bank.account]
    open_codes = {code: books.by_code[code] for code in IN_TRANSIT if books.by_code[code]}
    return [
        Check("trial_balance_is_zero", books.trial_balance_minor == 0, f"{books.trial_balance_minor}"),
        Check(
            "processor_equals_1125", of["1125"] == balance_minor, f"{of['1125']} in the books, {balance_minor} there"
        ),
        Check(
            "payouts_under_way_equal_1126", of["1126"] == under_way_minor, f"{of['1126']}, {under_way_minor} under way"
        ),
        Check("bank_equals_1010", cash == bank.closing_minor, f"{cash} in the books, {bank.closing_minor} there"),
        Check("nothing_in_transit", not open_codes, str(open_codes) if open_codes else ", ".join(IN_TRANSIT)),
    ]


def day_reconciled(figures: Mapping[str, dict[str, Any]]) -> Check:
    """Return whether the last day's report has no difference on any account, and nothing unexplained."""
    off = {
        code: (one["difference_minor"], one["unexplained_minor"])
        for code, one in figures.items()
        if one["difference_minor"] or one["unexplained_minor"]
    }
    whole = {"1010", "1125", "1126"} <= set(figures)
    return Check("day_reconciled", whole and not off, f"{off or ', '.join(sorted(figures))}")


def exceptions_as_planned(
    households: Sequence[Household], kinds: Mapping[str, str], has_late_payout: bool, unresolved: Sequence[Any]
) -> Check:
    """Return whether just the planned exceptions were found, each explained, and a late fact resolved every one."""
    planned: Counter[str] = Counter(_kind(act) for one in households for act in one.acts)
    planned["late"] = int(has_late_payout)
    del planned[""]
    found = Counter(kinds.values())
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(found.items())) or "none"
    held = found == +planned and not unresolved
    more = "" if held else f"; planned: {dict(+planned)}; not resolved: {len(unresolved)}"
    return Check("exceptions_come_and_go", held, told + more)


def _kind(act: object) -> str:
    """Return the exception that an act must leave at the end of its day, "" where there is none."""
    match act:
        case Pay(trouble="charged_twice", moment=moment) if moment == DAY_10:
            return "doubled"
        case Cheque(shown=shown, moment=moment):
            first, day = MOMENTS[shown[0][0]].day, MOMENTS[moment].day
            if first != day:
                return "unknown" if first > day else "missing"
            return "wrong_amount" if len(shown) > 1 else ""
        case _:
            return ""
