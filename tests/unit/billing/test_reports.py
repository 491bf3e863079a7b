"""A processor's days are called due in order and imported once, with opening + net = closing."""

import pytest

from services.billing.domain.commands import DueReports, ImportReport, ImportReportPart
from shared.contracts.billing import ReportDue, ReportImported, ReportLine
from tests.unit.billing.story import AT, NOTHING, Story, given, reread


def due(through: str) -> DueReports:
    return DueReports(processor="card", first_day="2026-02-27", through_day=through)


def line(ref: str, net_minor: int) -> ReportLine:
    return ReportLine(
        transaction_ref=ref, source_ref="ch", intent_ref="pi", kind="charge", amount_minor=net_minor, fee_minor=0,
        net_minor=net_minor, currency="USD", created_at=AT,
    )  # fmt: skip


def part(day: str, number: int, parts: int, *nets: int) -> ImportReportPart:
    lines = tuple(line(f"txn_{day}_{number}_{i}", net) for i, net in enumerate(nets))
    return ImportReportPart(processor="card", day=day, part=number, parts=parts, lines=lines)


def header(day: str, parts: int, lines: int, net_minor: int) -> ImportReport:
    return ImportReport(processor="card", day=day, currency="USD", parts=parts, lines=lines, net_minor=net_minor)


def processor() -> Story:
    return given(stream="prc_card")


def test_missed_days_come_due_in_order_and_once() -> None:
    story = processor().when(due("2026-02-27"), due("2026-03-02"), due("2026-03-02"), due("2026-03-01"))
    days = [event.day for event in story.then() if isinstance(event, ReportDue)]
    assert days == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]


def test_a_report_opens_where_the_last_one_closed() -> None:
    story = processor().when(
        due("2026-02-28"),
        part("2026-02-27", 1, 2, 100, 200), part("2026-02-27", 2, 2, -50), header("2026-02-27", 2, 3, 250),
        part("2026-02-28", 1, 1), header("2026-02-28", 1, 0, 0),
    )  # fmt: skip
    headers = [(e.opening_minor, e.closing_minor) for e in story.then() if isinstance(e, ReportImported)]
    assert headers == [(0, 250), (250, 250)]
    assert reread(story.state) == story.state


def test_a_day_imported_twice_adds_nothing() -> None:
    day = (part("2026-02-27", 1, 1, 7), header("2026-02-27", 1, 1, 7))
    assert processor().when(due("2026-02-27"), *day).when(*day).then() == NOTHING


def test_an_import_cut_short_goes_on_where_it_stopped() -> None:
    first, second = part("2026-02-27", 1, 2, 100), part("2026-02-27", 2, 2, 1)
    story = processor().when(due("2026-02-27"), first)
    assert story.when(first, second, header("2026-02-27", 2, 2, 101)).types() == [
        "report-part-imported",
        "report-imported",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        part("2026-02-27", 2, 2, 1),
        part("2026-02-28", 1, 1, 1),
        header("2026-02-27", 1, 0, 0),
        part("2026-02-27", 1, 1, *range(101)),
    ],
)
def test_what_does_not_follow_raises(wrong: object) -> None:
    with pytest.raises(ValueError, match="2026"):
        processor().when(due("2026-02-27"), wrong)


def test_a_sum_that_differs_raises() -> None:
    with pytest.raises(ValueError, match="counted"):
        processor().when(due("2026-02-27"), part("2026-02-27", 1, 1, 5), header("2026-02-27", 1, 1, 6))
