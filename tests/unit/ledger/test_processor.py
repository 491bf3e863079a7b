"""A processor's reports: kept as they come, fees and payouts are posted, so that both sides of 1125 have them."""

import pytest

from services.ledger.domain import reconciled
from services.ledger.domain.processor import lines_of
from services.ledger.domain.reconciled import Reconciled
from services.ledger.handlers import REGISTRY
from shared.contracts.billing import ReportImported, ReportLine, ReportPartImported
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, ReportPartTaken, ReportTaken
from tests.unit.ledger.reports import DAY, line, paid_out, part, report
from tests.unit.ledger.story import Leg, context, legs


def decide(fact: Event, state: Reconciled | None = None) -> list[Event]:
    return list(REGISTRY.handlers[type(fact)].decide(fact, state or reconciled.initial("prc_card"), context()))


def entries(*lines: ReportLine) -> list[tuple[str, str | None, list[Leg]]]:
    found = [event for event in decide(part(*lines)) if isinstance(event, EntryPosted)]
    return [(one.rule, one.reference, legs(one)) for one in found]


def test_a_report_and_its_parts_are_kept_in_the_ledgers_own_log() -> None:
    taken, header = report(line("pi_1"))

    assert REGISTRY.handlers[ReportPartImported].stream(taken) == "prc_card"
    assert REGISTRY.handlers[ReportImported].stream(header) == "prc_card"
    assert decide(taken) == [ReportPartTaken(processor="card", day=DAY, part=1, parts=1, lines=(line("pi_1"),))]
    assert decide(header) == [
        ReportTaken(processor="card", day=DAY, currency="USD", opening_minor=0, closing_minor=18165, parts=1, lines=1)
    ]


def test_the_fees_of_a_parts_charges_are_one_entry() -> None:
    """PR-22p."""
    other = line("pi_2", 1000, 35, kind="payment")

    assert entries(line("pi_1", 18165, 557), other, line("pi_3", 10)) == [
        ("PR-22p", f"fees/{DAY}/1", [("D", "5020", "card", 592), ("C", "1125", "card", 592)])
    ]


def test_fees_given_back_are_the_mirror() -> None:
    assert entries(line("pi_1", 18165, -557)) == [
        ("PR-22p", f"fees/{DAY}/1", [("C", "5020", "card", 557), ("D", "1125", "card", 557)])
    ]


def test_the_fee_of_a_dispute_is_the_households() -> None:
    """PR-10a books it."""
    assert entries(line("pi_1", -18165, 1500, kind="adjustment")) == []


def test_each_payout_is_an_entry_under_its_name() -> None:
    """PR-05p."""
    assert entries(paid_out(700), paid_out(50, "po_2")) == [
        ("PR-05p", "po_1", [("D", "1126", "po_1", 700), ("C", "1125", "card", 700)]),
        ("PR-05p", "po_2", [("D", "1126", "po_2", 50), ("C", "1125", "card", 50)]),
    ]


def test_a_payout_that_came_back_is_the_mirror() -> None:
    assert entries(paid_out(700, failed=True)) == [
        ("PR-05p", "po_1", [("C", "1126", "po_1", 700), ("D", "1125", "card", 700)])
    ]


def test_entries_are_of_the_processors_stream_on_the_reports_day() -> None:
    _, fees, payout = decide(part(line("pi_1", 18165, 557), paid_out(700)))

    assert isinstance(fees, EntryPosted)
    assert isinstance(payout, EntryPosted)
    assert (fees.account_id, fees.effective_date, fees.currency) == ("prc_card", DAY, "USD")
    assert fees.entry_id != payout.entry_id
    assert fees.group_id == payout.group_id


def test_a_part_that_was_taken_before_posts_nothing_again() -> None:
    state = reconciled.initial("prc_card")
    first, second = part(line("pi_1", fee_minor=5), parts=2), part(line("pi_2", fee_minor=7), number=2, parts=2)
    for event in decide(first):
        state = reconciled.evolve(state, event)

    assert [event.TYPE for event in decide(first, state)] == [ReportPartTaken.TYPE]
    assert [event.TYPE for event in decide(second, state)] == [ReportPartTaken.TYPE, EntryPosted.TYPE]
    assert [event.TYPE for event in decide(part(line("pi_3", fee_minor=5), day="2026-02-10"), state)] == [
        ReportPartTaken.TYPE,
        EntryPosted.TYPE,
    ]


@pytest.mark.parametrize(
    ("told", "reference", "minor"),
    [
        pytest.param(line("pi_1", 18165, 557), "pi_1", 18165, id="charge-gross"),
        pytest.param(line("pi_1", -500, kind="refund"), "pi_1", -500, id="refund"),
        pytest.param(line("pi_1", 500, kind="refund_failure"), "pi_1", 500, id="refund-that-came-back"),
        pytest.param(line("pi_1", -18165, 1500, kind="adjustment"), "pi_1", -19665, id="dispute-with-its-fee"),
        pytest.param(paid_out(700), "po_1", -700, id="payout"),
        pytest.param(line("", -30, kind="stripe_fee", source="fee_1"), "txn_stripe_fee_fee_1", -30, id="of-no-intent"),
    ],
)
def test_a_line_counts_with_what_the_books_have_under_its_reference(
    told: ReportLine, reference: str, minor: int
) -> None:
    first = lines_of(part(told))[0]

    assert (first.reference, first.minor) == (reference, minor)


def test_the_lines_of_a_part_sum_to_what_it_moved() -> None:
    told = part(line("pi_1", 18165, 557), line("pi_2", 99, 3), line("pi_1", -500, 0, kind="refund"), paid_out(700))
    lines = lines_of(told)

    assert sum(one.minor for one in lines) == sum(one.net_minor for one in told.lines)
    assert [one.minor for one in lines if one.reference == f"fees/{DAY}/1"] == [-560]
    assert len({one.name for one in lines}) == len(lines)


@pytest.mark.parametrize("day", ["2026-99-99", "2026-02-29"])
def test_a_day_that_no_calendar_has_is_parked(day: str) -> None:
    for fact in report(line("pi_1"), day=day):
        with pytest.raises(ValueError, match=r"day|month"):
            decide(fact)
