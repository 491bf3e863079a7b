"""The demo's bank and its letters: statements that follow each other, subjects that say what they are."""

import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from deploy.demo.acts import Cheque, Household, Line
from deploy.demo.bank import FEE_MINOR, MOST_LINES, Bank
from deploy.demo.closing import exceptions_as_planned
from deploy.demo.draw import Draw
from deploy.demo.letters import kind_of, letters_as_expected
from deploy.demo.model import Model
from deploy.demo.moments import DAY_4, DAY_7, DAY_10, MOMENTS, calendar_from, last_moment_of_day
from deploy.demo.processor import Payout
from deploy.demo.rota import plan
from shared.clock import parse_rfc3339
from shared.contracts.notifier import NoticeKind

TEMPLATES = Path(__file__).resolve().parents[3] / "services" / "notifier" / "templates"


def cheque(moment: int, *shown: tuple[int, int]) -> Cheque:
    return Cheque(moment=moment, name="cheque", bill=None, minor=500, shown=shown)


def test_a_statement_opens_with_what_the_last_one_closed_with() -> None:
    bank = Bank("trust-1")
    bank.cheque(cheque(0, (0, 500)), "CHQ-1")
    bank.payout(1, Payout("po_1", 900))
    bank.fee(1)
    [first], [second] = bank.statement(range(1), "2027-01-01"), bank.statement(range(1, 2), "2027-01-02")
    assert (first["opening_minor"], first["closing_minor"]) == (0, 500)
    assert (second["opening_minor"], second["closing_minor"]) == (500, 1_400 - FEE_MINOR)
    assert [line["reference"] for line in second["lines"]] == ["po_1", "account-fee"]


def test_a_day_without_lines_has_a_statement_too() -> None:
    [page] = Bank("trust-1").statement(range(1), "2027-01-01")
    assert (page["lines"], page["closing_minor"]) == ([], 0)


def test_a_long_statement_has_pages_that_follow_each_other() -> None:
    bank = Bank("trust-1")
    for number in range(MOST_LINES + 1):
        bank.payout(0, Payout(f"po_{number}", 1))
    first, second = bank.statement(range(1), "2027-01-01")
    assert (len(first["lines"]), len(second["lines"])) == (MOST_LINES, 1)
    assert first["closing_minor"] == second["opening_minor"] == MOST_LINES


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", get_args(NoticeKind))
def test_a_letter_is_known_by_its_subject(kind: str, language: str) -> None:
    first = (TEMPLATES / language / f"{kind}.j2").read_text(encoding="utf-8").splitlines()[0]
    subject = re.sub(r"\{%.*?%\}", "", first).replace("{{ amount }}", "$181.65").replace("{{ reference }}", "A1B2C3")
    assert kind_of(subject, language) == kind


def test_a_letter_too_few_or_in_the_wrong_language_is_seen() -> None:
    planned = plan(1, 1)
    model = Model(planned)
    mail = {"to": planned[0].email, "language": planned[0].language, "subject": "Receipt: your payment of $1"}
    if planned[0].language == "es":
        mail["subject"] = "Recibo: su pago de $1"
    assert letters_as_expected(planned, model, [mail]).held
    assert not letters_as_expected(planned, model, []).held
    assert not letters_as_expected(planned, model, [mail, mail]).held
    assert not letters_as_expected(planned, model, [{**mail, "language": "fr"}]).held


def test_exceptions_are_those_that_the_stories_must_leave_and_no_others() -> None:
    acts = (
        cheque(DAY_4, (DAY_7, 500)),
        cheque(DAY_7, (DAY_4, 500)),
        cheque(DAY_4, (DAY_4, 400), (DAY_7, 100)),
        cheque(DAY_4, (DAY_4, 500)),
    )
    one = Household(number=1, story="a test", name="Ana", email="ana@example.org", language="en", acts=acts)
    found = {"a": "unknown", "b": "missing", "c": "wrong_amount", "d": "late"}
    assert exceptions_as_planned([one], found, True, []).held
    assert not exceptions_as_planned([one], found, False, []).held
    assert not exceptions_as_planned([one], {**found, "e": "late"}, True, []).held
    assert not exceptions_as_planned([one], found, True, ["still open"]).held


def test_two_hundred_households_leave_an_exception_of_each_kind() -> None:
    planned = plan(200, 1)
    kinds = Counter({"doubled": 4, "unknown": 3, "wrong_amount": 3, "missing": 3})
    ids = {f"{kind}-{number}": kind for kind, count in kinds.items() for number in range(count)}
    assert exceptions_as_planned(planned, ids, False, []).held


def test_a_demo_begins_on_the_day_after_in_the_exchanges_zone() -> None:
    calendar = calendar_from(parse_rfc3339("2026-12-01T03:00:00.000000Z"))
    assert calendar.first_day.isoformat() == "2026-12-01"
    assert calendar.instant(MOMENTS[0]).isoformat() == "2026-12-01T14:00:00+00:00"
    assert (calendar.coverage_month(0), calendar.coverage_month(1)) == ("2027-01", "2027-02")


def test_moments_only_go_on_and_each_day_has_one_end() -> None:
    assert [(one.day, one.hour) for one in MOMENTS] == sorted((one.day, one.hour) for one in MOMENTS)
    ends = [one.day for index, one in enumerate(MOMENTS) if last_moment_of_day(index)]
    assert ends == sorted({one.day for one in MOMENTS})
    assert MOMENTS[DAY_10].day == 10


def test_a_line_leaves_the_member_the_share_that_was_drawn() -> None:
    for number in range(50):
        line = Draw(1, number).line("A", 18_165)
        assert isinstance(line, Line)
        assert line.share_minor == 18_165
