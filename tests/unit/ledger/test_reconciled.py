"""A reconciled account: days are reported when their figures change, exceptions open, are explained, and resolve."""

from typing import Any

import msgspec
import pytest

from services.ledger.domain import reconciled
from services.ledger.domain.exceptions import OpenException, exception_id
from services.ledger.domain.reconciled import (
    DAYS_KEPT,
    MOST_CHANGES,
    RESOLVED_KEPT,
    Reconciled,
    ReconcileDay,
    ReviewExceptions,
)
from services.ledger.handlers import REGISTRY
from shared.contracts.event import Actor, Event
from shared.contracts.gateway import ExplanationRequested
from shared.contracts.ledger import ExceptionChanged, ExplanationRefused, ReconciliationReported
from shared.decider import Context
from tests.unit.ledger.story import context

DAY = "2026-02-09"
LACKING = OpenException("pi_1", "missing", -500, DAY)
ALONE = OpenException("pi_2", "unknown", 300, DAY)
PAYOUT = OpenException("po_1", "late", 700, "2026-02-12")
ID = exception_id(3, "1125", "card", "USD", "pi_1")
PLACE: dict[str, Any] = {"account": "1125", "sub_key": "card", "currency": "USD"}
TRANSIT: dict[str, Any] = {**PLACE, "account": "1126"}


def day(
    *exceptions: OpenException, on: str = DAY, book_minor: int = 18165, outside_minor: int | None = 18165,
    position: int = 7, **more: Any,
) -> ReconcileDay:  # fmt: skip
    return ReconcileDay(
        **{**PLACE, **more}, day=on, book_minor=book_minor, outside_minor=outside_minor, exceptions=exceptions,
        positions={"3": position},
    )  # fmt: skip


def review(*found: OpenException, **more: Any) -> ReviewExceptions:
    return ReviewExceptions(**{**PLACE, **more}, found=found, positions={"3": 7})


def explanation(exception: str = ID, account: Any = "1125", request_id: str = "req_3_1") -> ExplanationRequested:
    return ExplanationRequested(
        request_id=request_id, exception_id=exception, account=account, sub_key="card", reason="bank_error",
        note_version=2, received_at="2026-02-10T12:00:00.000000Z",
    )  # fmt: skip


def decide(message: object, state: Reconciled, now: Context | None = None) -> list[Event]:
    return list(REGISTRY.handlers[type(message)].decide(message, state, now or context()))


def after(*messages: object) -> Reconciled:
    state = reconciled.initial("prc_card")
    for message in messages:
        state = fold(decide(message, state), state)
    return state


def fold(events: list[Event], state: Reconciled) -> Reconciled:
    for event in events:
        state = reconciled.evolve(state, event)
    return state


def states(events: list[Event]) -> list[tuple[str, str, str, int]]:
    found = [event for event in events if isinstance(event, ExceptionChanged)]
    assert len(found) == len(events)
    return [(one.references[0], one.state, one.kind, one.minor) for one in found]


# Days


@pytest.mark.parametrize(
    ("account", "outside_minor", "bank_minor", "processor_minor", "difference_minor"),
    [("1125", 18665, None, 18665, -500), ("1010", 18665, 18665, None, -500), ("1126", None, None, None, -200)],
)
def test_a_day_is_reported_with_its_difference(
    account: str, outside_minor: int | None, bank_minor: int | None, processor_minor: int | None, difference_minor: int
) -> None:
    (event,) = decide(day(LACKING, ALONE, outside_minor=outside_minor, account=account), after())

    assert isinstance(event, ReconciliationReported)
    assert (event.account, event.sub_key, event.book_minor) == (account, "card", 18165)
    assert (event.bank_minor, event.processor_minor) == (bank_minor, processor_minor)
    assert (event.difference_minor, event.unexplained_minor) == (difference_minor, 800)
    assert event.effective_on() == DAY
    assert [(one.count, one.minor) for one in event.open_exceptions] == [(2, 800), (0, 0), (0, 0), (0, 0)]


def test_what_is_explained_is_not_unexplained() -> None:
    state = after(review(LACKING, ALONE), explanation())

    (event,) = decide(day(LACKING, ALONE), state)

    assert isinstance(event, ReconciliationReported)
    assert event.unexplained_minor == 300
    assert event.open_exceptions[0].count == 2


def test_an_explanation_makes_the_day_news() -> None:
    state = after(review(LACKING), day(LACKING))

    assert decide(day(LACKING), state) == []
    assert len(decide(day(LACKING), fold(decide(explanation(), state), state))) == 1


def test_the_same_figures_at_later_positions_are_no_news() -> None:
    assert decide(day(position=99), after(day())) == []


@pytest.mark.parametrize("more", [{"account": "1126", "outside_minor": None}, {"currency": "EUR"}])
def test_accounts_and_currencies_of_a_stream_are_reported_apart(more: dict[str, Any]) -> None:
    assert len(decide(day(**more), after(day()))) == 1
    assert decide(day(**more), after(day(), day(**more), day(on="2026-02-10"))) == []


def test_changed_figures_supersede_also_back_to_earlier_ones() -> None:
    assert len(decide(day(book_minor=1), after(day()))) == 1
    assert len(decide(day(), after(day(), day(book_minor=1)))) == 1


def test_the_state_keeps_a_bounded_number_of_days() -> None:
    state = after(*(day(on=f"2{number:03}-01-01") for number in range(DAYS_KEPT + 50)))

    assert len(state.reported["1125/USD"]) == DAYS_KEPT
    assert min(state.reported["1125/USD"]) == "2050-01-01"


# Exceptions


def test_what_differs_is_opened_once() -> None:
    events = decide(review(LACKING, ALONE), after())

    assert states(events) == [("pi_1", "open", "missing", -500), ("pi_2", "open", "unknown", 300)]
    (first, _) = events
    assert isinstance(first, ExceptionChanged)
    assert (first.id, first.account, first.sub_key, first.currency, first.since) == (ID, "1125", "card", "USD", DAY)
    assert (first.reason, first.explained_by, first.request_id) == (None, None, None)
    assert decide(review(LACKING, ALONE), after(review(LACKING, ALONE))) == []


def test_what_is_even_again_is_resolved_by_itself() -> None:
    state = after(review(LACKING, ALONE))
    events = decide(review(ALONE), state)

    assert states(events) == [("pi_1", "resolved", "missing", -500)]
    assert decide(review(ALONE), fold(events, state)) == []


@pytest.mark.parametrize(
    "changed", [OpenException("pi_1", "missing", -499, DAY), OpenException("pi_1", "wrong_amount", -500, DAY)]
)
@pytest.mark.parametrize("first", [(), (explanation(),)])
def test_another_amount_or_kind_is_open_again(changed: OpenException, first: tuple[object, ...]) -> None:
    state = after(review(LACKING), *first)
    (event,) = decide(review(changed), state)

    assert states([event]) == [("pi_1", "open", changed.kind, changed.minor)]
    assert isinstance(event, ExceptionChanged)
    assert (event.id, event.reason, event.explained_by, event.note_version) == (ID, None, None, 0)


def test_what_was_resolved_opens_again_under_its_id() -> None:
    (event,) = decide(review(LACKING), after(review(LACKING), review()))

    assert isinstance(event, ExceptionChanged)
    assert (event.id, event.state) == (ID, "open")


def test_accounts_and_currencies_of_a_stream_are_reviewed_apart() -> None:
    state = after(review(LACKING))

    assert decide(review(**TRANSIT), state) == []
    assert decide(review(currency="EUR"), state) == []


@pytest.mark.parametrize(("today", "expected"), [("2026-02-18", []), ("2026-02-19", [("po_1", "open", "late", 700)])])
def test_a_payout_becomes_late_by_the_day_alone(today: str, expected: list[tuple[str, str, str, int]]) -> None:
    assert states(decide(review(PAYOUT, **TRANSIT), after(), context(on=today))) == expected


def test_one_review_changes_a_bounded_number_and_the_next_goes_on() -> None:
    found = [OpenException(f"pi_{number:05}", "missing", -1, DAY) for number in range(MOST_CHANGES + 10)]
    state = after(review(*found))

    assert len(state.exceptions) == MOST_CHANGES
    assert len(decide(review(*found), state)) == 10


def test_the_state_keeps_a_bounded_number_of_what_is_resolved() -> None:
    state = after(review(LACKING))
    for turn in range(3):
        for number in range(RESOLVED_KEPT // 2):
            one = ExceptionChanged(
                id=f"exc_3_{turn}_{number}", **PLACE, kind="missing", minor=-1, since=DAY, state="resolved",
                reason=None, references=("r",),
            )  # fmt: skip
            state = reconciled.evolve(state, one)

    assert len(state.exceptions) == RESOLVED_KEPT + 1
    assert ID in state.exceptions
    assert "exc_3_0_0" not in state.exceptions


# Explanations


def test_who_explains_what_is_open_is_named_with_the_reason() -> None:
    now = msgspec.structs.replace(context(), actor=Actor("staff", "stf_7"))
    (event,) = decide(explanation(), after(review(LACKING)), now)

    assert isinstance(event, ExceptionChanged)
    assert states([event]) == [("pi_1", "explained", "missing", -500)]
    assert (event.reason, event.explained_by, event.note_version) == ("bank_error", "stf_7", 2)
    assert event.request_id == "req_3_1"


def test_what_was_explained_and_does_not_change_stays_explained() -> None:
    state = after(review(LACKING), explanation())

    assert decide(review(LACKING), state) == []


def test_what_was_explained_resolves_and_keeps_its_reason() -> None:
    (event,) = decide(review(), after(review(LACKING), explanation()))

    assert isinstance(event, ExceptionChanged)
    assert (event.state, event.reason, event.note_version, event.request_id) == ("resolved", "bank_error", 2, None)


def test_a_second_explanation_takes_the_place_of_the_first() -> None:
    (event,) = decide(explanation(request_id="req_3_2"), after(review(LACKING), explanation()))

    assert isinstance(event, ExceptionChanged)
    assert (event.state, event.request_id) == ("explained", "req_3_2")


@pytest.mark.parametrize(
    ("messages", "request_", "reason"),
    [
        pytest.param((), explanation(), "exception_unknown", id="never-open"),
        pytest.param((review(LACKING),), explanation("exc_3_x"), "exception_unknown", id="another-id"),
        pytest.param((review(LACKING),), explanation(account="1126"), "exception_unknown", id="another-account"),
        pytest.param((review(LACKING), review()), explanation(), "exception_resolved", id="resolved"),
    ],
)
def test_what_is_not_open_is_not_explained(
    messages: tuple[object, ...], request_: ExplanationRequested, reason: str
) -> None:
    assert decide(request_, after(*messages)) == [
        ExplanationRefused(request_id="req_3_1", exception_id=request_.exception_id, reason=reason)  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    ("account", "sub_key", "stream"),
    [("1125", "card", "prc_card"), ("1126", "card", "prc_card"), ("1010", "trust-1", "bnk_trust-1")],
)
def test_an_account_is_reconciled_in_one_stream(account: Any, sub_key: str, stream: str) -> None:
    message = msgspec.structs.replace(explanation(account=account), sub_key=sub_key)

    assert REGISTRY.handlers[ExplanationRequested].stream(message) == stream
    assert REGISTRY.handlers[ReviewExceptions].stream(review(account=account, sub_key=sub_key)) == stream
    assert REGISTRY.handlers[ReconcileDay].stream(day(account=account, sub_key=sub_key)) == stream
