"""Trial balances: told once per figures, again when they change, never uneven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain import trial
from services.ledger.domain.trial import DAYS_KEPT, ReportTrialBalance, TrialBalances, uneven
from shared.contracts.direct import TrialBalanceLine
from shared.contracts.event import Event
from tests.unit.ledger.story import context


def line(code: str, debit_minor: int, credit_minor: int, currency: str = "USD") -> TrialBalanceLine:
    return TrialBalanceLine(code=code, currency=currency, debit_minor=debit_minor, credit_minor=credit_minor)


def ask(minor: int, day: str = "2026-02-10", position: int = 1) -> ReportTrialBalance:
    lines = (line("1010", minor, 0), line("2110", 0, minor))
    return ReportTrialBalance(account_id="tbl_demo", day=day, lines=lines, positions={"0": position})


def told(state: TrialBalances, *commands: ReportTrialBalance) -> tuple[TrialBalances, list[Event]]:
    events: list[Event] = []
    for command in commands:
        for event in trial.report(command, state, context()):
            state = trial.evolve(state, event)
            events.append(event)
    return state, events


def test_the_same_figures_are_told_once_wherever_they_were_read() -> None:
    _, events = told(trial.initial("tbl_demo"), ask(5), ask(5, position=9))

    assert len(events) == 1


def test_a_day_whose_figures_change_is_told_again() -> None:
    _, events = told(trial.initial("tbl_demo"), ask(5), ask(7), ask(5))

    assert [event.lines[0].debit_minor for event in events] == [5, 7, 5]  # type: ignore[attr-defined]


def test_what_is_uneven_in_any_currency_is_no_trial_balance() -> None:
    lines = (line("1010", 5, 0), line("2110", 0, 5, "EUR"))
    command = ReportTrialBalance(account_id="tbl_demo", day="2026-02-10", lines=lines, positions={})

    with pytest.raises(ValueError, match="2026-02-10 is not even"):
        trial.report(command, trial.initial("tbl_demo"), context())
    assert uneven(lines) == {"USD": 5, "EUR": -5}


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 600)), max_size=30))
def test_the_state_keeps_the_newest_days(asked: list[tuple[int, int]]) -> None:
    commands = [ask(minor, f"{2020 + number // 365}-{number % 365:03d}") for minor, number in asked]
    state, _ = told(trial.initial("tbl_demo"), *commands)

    assert len(state.reported) <= DAYS_KEPT
    newest = {command.day: trial.figures(command.lines) for command in commands}
    assert state.reported == newest
