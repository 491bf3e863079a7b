"""How differences between books and processor are named and aged."""

import pytest

from services.ledger.domain.exceptions import NO_LINES, Kind, Match, OpenException, Side, by_age, open_on

DAY = "2026-02-10"


def match(book: Side, processor: Side) -> Match:
    return Match("pi_1", book, processor)


@pytest.mark.parametrize(
    ("book", "processor", "kind", "minor"),
    [
        pytest.param(NO_LINES, Side(1, 500, DAY), Kind.MISSING, -500, id="missing"),
        pytest.param(Side(1, 500, DAY), NO_LINES, Kind.UNKNOWN, 500, id="unknown"),
        pytest.param(Side(2, 1000, DAY), Side(1, 500, DAY), Kind.DOUBLED, 500, id="doubled-in-books"),
        pytest.param(Side(1, 500, DAY), Side(2, 1000, DAY), Kind.DOUBLED, -500, id="doubled-at-processor"),
        pytest.param(Side(1, 500, DAY), Side(1, 499, DAY), Kind.WRONG_AMOUNT, 1, id="wrong-amount"),
        pytest.param(Side(2, 900, DAY), Side(1, 500, DAY), Kind.WRONG_AMOUNT, 400, id="not-a-double"),
    ],
)
def test_a_difference_has_a_name(book: Side, processor: Side, kind: Kind, minor: int) -> None:
    assert open_on([match(book, processor)], DAY) == [OpenException("pi_1", kind, minor, DAY)]


def test_equal_sides_are_no_exception() -> None:
    assert open_on([match(Side(1, 500, DAY), Side(1, 500, DAY))], DAY) == []


def test_lines_of_later_days_do_not_count() -> None:
    later = match(Side(1, 500, DAY), Side(1, 500, "2026-02-11"))

    assert [one.kind for one in open_on([later], DAY)] == [Kind.UNKNOWN]
    assert open_on([later], "2026-02-11") == []
    assert open_on([later], "2026-02-09") == []


def test_exceptions_are_counted_by_age() -> None:
    opened = [
        OpenException("a", Kind.MISSING, -5, "2026-02-10"),
        OpenException("b", Kind.UNKNOWN, 7, "2026-02-09"),
        OpenException("c", Kind.UNKNOWN, 11, "2026-02-08"),
        OpenException("d", Kind.UNKNOWN, 13, "2026-02-05"),
        OpenException("e", Kind.UNKNOWN, 17, "2026-01-11"),
        OpenException("f", Kind.UNKNOWN, 19, "2025-12-01"),
    ]

    assert [(one.days, one.count, one.minor) for one in by_age(opened, DAY)] == [
        ("0-1", 2, 12),
        ("2-5", 2, 24),
        ("6-30", 1, 17),
        ("31+", 1, 19),
    ]
