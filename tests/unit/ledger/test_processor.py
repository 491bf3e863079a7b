"""A processor's stream: reports are taken as they come, a day is reported again only when its figures changed."""

from services.ledger.domain import processor
from services.ledger.domain.processor import DAYS_KEPT, Processor, ReconcileDay
from services.ledger.handlers import REGISTRY
from shared.contracts.billing import ReportImported, ReportLine, ReportPartImported
from shared.contracts.event import Event
from shared.contracts.ledger import AgeBucket, ReconciliationReported, ReportPartTaken, ReportTaken
from tests.unit.ledger.story import context

CHARGE = ReportLine(
    transaction_ref="txn_1",
    source_ref="ch_1",
    intent_ref="pi_1",
    kind="charge",
    amount_minor=18165,
    fee_minor=0,
    net_minor=18165,
    currency="USD",
    created_at="2026-02-10T03:00:00.000000Z",
)


def command(day: str = "2026-02-09", book_minor: int = 18165, position: int = 7) -> ReconcileDay:
    return ReconcileDay(
        processor="card",
        day=day,
        currency="USD",
        book_minor=book_minor,
        processor_minor=18165,
        open_exceptions=(AgeBucket(days="0-1", count=0, minor=0),),
        positions={"3": position},
    )


def decide(message: object, state: Processor) -> list[Event]:
    return list(REGISTRY.handlers[type(message)].decide(message, state, context()))


def fold(events: list[Event], state: Processor | None = None) -> Processor:
    state = state or processor.initial("prc_card")
    for event in events:
        state = processor.evolve(state, event)
    return state


def test_a_report_and_its_parts_are_kept_in_the_ledgers_own_log() -> None:
    part = ReportPartImported(processor="card", day="2026-02-09", part=1, parts=1, lines=(CHARGE,))
    header = ReportImported(
        processor="card", day="2026-02-09", currency="USD", opening_minor=0, closing_minor=18165, parts=1, lines=1
    )
    state = processor.initial("prc_card")

    assert REGISTRY.handlers[ReportPartImported].stream(part) == "prc_card"
    assert decide(part, state) == [
        ReportPartTaken(processor="card", day="2026-02-09", part=1, parts=1, lines=(CHARGE,))
    ]
    assert decide(header, state) == [
        ReportTaken(
            processor="card", day="2026-02-09", currency="USD", opening_minor=0, closing_minor=18165, parts=1, lines=1
        )
    ]


def test_a_day_is_reported_with_its_difference() -> None:
    (event,) = decide(command(book_minor=18000), processor.initial("prc_card"))

    assert isinstance(event, ReconciliationReported)
    assert (event.account, event.sub_key, event.difference_minor, event.bank_minor) == ("1125", "card", -165, None)
    assert event.effective_on() == "2026-02-09"


def test_the_same_figures_at_later_positions_are_no_news() -> None:
    state = fold(decide(command(), processor.initial("prc_card")))

    assert decide(command(position=99), state) == []


def test_changed_figures_supersede_also_back_to_earlier_ones() -> None:
    state = fold(decide(command(), processor.initial("prc_card")))
    changed = decide(command(book_minor=1), state)
    state = fold(changed, state)

    assert len(changed) == 1
    assert len(decide(command(), state)) == 1


def test_the_state_keeps_a_bounded_number_of_days() -> None:
    state = processor.initial("prc_card")
    for number in range(DAYS_KEPT + 50):
        state = fold(decide(command(day=f"day-{number:06}"), state), state)

    assert len(state.reported) == DAYS_KEPT
    assert min(state.reported) == "day-000050"
