"""How differences between the books and the other side are named, when a payout is late, and how they are aged."""

import pytest

from services.ledger.domain.exceptions import (
    Match,
    Moved,
    OpenException,
    by_age,
    exception_id,
    open_on,
    overdue,
    payouts_open,
)
from shared.contracts.ledger import ExceptionKind, ReconciledAccount

DAY, NEXT = "2026-02-10", "2026-02-11"
Lines = tuple[int, int]
NONE = (0, 0)


def match(*moved: tuple[str, Lines, Lines], reference: str = "pi_1") -> Match:
    return Match(reference, tuple(Moved(day, *book, *outside) for day, book, outside in moved))


@pytest.mark.parametrize("account", ["1125", "1010", "1126"])
@pytest.mark.parametrize(
    ("book", "outside", "kind", "minor"),
    [
        pytest.param(NONE, (1, 500), "missing", -500, id="missing"),
        pytest.param((2, 1000), (1, 500), "doubled", 500, id="doubled-in-books"),
        pytest.param((1, 500), (2, 1000), "doubled", -500, id="doubled-outside"),
        pytest.param((1, 500), (1, 499), "wrong_amount", 1, id="wrong-amount"),
        pytest.param((2, 900), (1, 500), "wrong_amount", 400, id="not-a-double"),
    ],
)
def test_a_difference_has_a_name(
    account: ReconciledAccount, book: Lines, outside: Lines, kind: ExceptionKind, minor: int
) -> None:
    assert open_on(account, [match((DAY, book, outside))], DAY) == (OpenException("pi_1", kind, minor, DAY),)


@pytest.mark.parametrize("account", ["1125", "1010"])
def test_what_only_the_books_have_is_unknown(account: ReconciledAccount) -> None:
    assert open_on(account, [match((DAY, (1, 500), NONE))], DAY) == (OpenException("pi_1", "unknown", 500, DAY),)


@pytest.mark.parametrize("account", ["1125", "1010", "1126"])
def test_equal_sides_are_no_exception(account: ReconciledAccount) -> None:
    assert open_on(account, [match((DAY, (1, 500), (1, 500)))], DAY) == ()


def test_lines_of_later_days_do_not_count() -> None:
    later = [match((DAY, (1, 500), NONE), (NEXT, NONE, (1, 500)))]

    assert [one.kind for one in open_on("1125", later, DAY)] == ["unknown"]
    assert open_on("1125", later, NEXT) == ()
    assert open_on("1125", later, "2026-02-09") == ()


def test_a_refund_of_today_leaves_the_charge_of_yesterday_even() -> None:
    """The books have it before the processor's report of the day is in."""
    refunded = [match((DAY, (1, 500), (1, 500)), (NEXT, (1, -200), NONE))]

    assert open_on("1125", refunded, DAY) == ()
    assert open_on("1125", refunded, NEXT) == (OpenException("pi_1", "wrong_amount", -200, DAY),)


@pytest.mark.parametrize(
    ("day", "late"),
    [
        pytest.param("2026-02-12", False, id="the-same-day"),
        pytest.param("2026-02-18", False, id="third-bank-day"),
        pytest.param("2026-02-19", True, id="after-the-third-bank-day"),
    ],
)
def test_a_payout_is_late_after_three_bank_days(day: str, late: bool) -> None:
    """Thursday 12 February 2026: a weekend and Washington's Birthday lie between."""
    under_way = [match(("2026-02-12", (1, 500), NONE), reference="po_1")]

    found = open_on("1126", under_way, day)

    assert found == ((OpenException("po_1", "late", 500, "2026-02-12"),) if late else ())
    assert overdue(payouts_open(under_way, "2026-02-12"), day) == found


def test_a_payout_that_arrived_later_was_late_until_then() -> None:
    arrived = [match(("2026-02-12", (1, 500), NONE), ("2026-02-20", NONE, (1, 500)))]

    assert len(open_on("1126", arrived, "2026-02-19")) == 1
    assert open_on("1126", arrived, "2026-02-20") == ()


def test_a_payout_that_arrived_after_the_newest_report_is_not_under_way() -> None:
    arrived = [match((DAY, (1, 500), NONE), (NEXT, NONE, (1, 500)))]

    assert payouts_open(arrived, DAY) == ()


def test_what_the_bank_shows_is_missing_only_once_the_processor_has_reported_the_day() -> None:
    unreported = [match((NEXT, NONE, (1, 500)))]

    assert payouts_open(unreported, DAY) == ()
    assert payouts_open(unreported, NEXT) == (OpenException("pi_1", "missing", -500, NEXT),)


def test_a_payout_that_came_back_is_even_without_the_bank() -> None:
    assert open_on("1126", [match((DAY, (1, 500), NONE), (NEXT, (1, -500), NONE))], "2026-03-31") == ()


def test_the_id_is_of_the_item_alone() -> None:
    places: list[tuple[ReconciledAccount, str, str, str]] = [
        ("1125", "card", "USD", "pi_1"),
        ("1126", "card", "USD", "pi_1"),
        ("1125", "other", "USD", "pi_1"),
        ("1125", "card", "EUR", "pi_1"),
        ("1125", "card", "USD", "pi_2"),
    ]
    ids = [exception_id(3, *place) for place in places]

    assert len(set(ids)) == len(places)
    assert exception_id(3, *places[0]) == ids[0]
    assert ids[0].startswith("exc_3_")


def test_exceptions_are_counted_by_age() -> None:
    opened = [
        OpenException("a", "missing", -5, "2026-02-10"),
        OpenException("b", "unknown", 7, "2026-02-09"),
        OpenException("c", "unknown", 11, "2026-02-08"),
        OpenException("d", "unknown", 13, "2026-02-05"),
        OpenException("e", "unknown", 17, "2026-01-11"),
        OpenException("f", "unknown", 19, "2025-12-01"),
    ]

    assert [(one.days, one.count, one.minor) for one in by_age(opened, DAY)] == [
        ("0-1", 2, 12),
        ("2-5", 2, 24),
        ("6-30", 1, 17),
        ("31+", 1, 19),
    ]
