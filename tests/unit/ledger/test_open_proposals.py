"""What of the journals is still open is folded from the log alone, whatever part of it a snapshot held."""

from datetime import timedelta

import pytest

from services.ledger.domain import journal
from services.ledger.journals.open_proposals import Name, OpenProposals
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor
from shared.eventlog.ports import EventRow
from shared.instants import text_of
from tests.unit.ledger.journal_story import (
    ANNA,
    CASH,
    FEES,
    NOW,
    STREAM,
    JournalStory,
    change_request,
    journal_request,
    legs,
    opened,
)


def rows(story: JournalStory) -> list[EventRow]:
    return [
        EventRow(
            shard=3, position=version, stream=STREAM, version=version, event_id=version.to_bytes(16, "big"),
            type=event.TYPE, data=seal(
                Envelope(
                    tenant="demo", event_id="00" * 16, type=event.TYPE, stream=STREAM, version=version,
                    recorded_at=text_of(NOW), effective_date="2026-03-10", actor=Actor("staff", ANNA),
                    correlation="c", causation=None, payload=encode_event(event),
                )
            ),
        )
        for version, event in enumerate(story.events, start=1)
    ]  # fmt: skip


def many_ends() -> JournalStory:
    """Return a journal in which a proposal waits, one was posted, rejected, refused, and accounts close or have."""
    story = opened().changed("open", "1290/a", "1290/b", "1290/c").closed("1290/a").closed("1290/b", 5)
    story.posted(*legs(), name="jnl_done")
    for name in ("jnl_waits", "jnl_no", "jnl_frozen"):
        story.tell(journal_request(*legs(), name=name))
    story.answer("jnl_waits", ANNA)
    story.answer("jnl_no", ANNA, "reject")
    story.tell(change_request("close", FEES, "chg_waits"))
    return story.changed("close", "1290/c")


@pytest.mark.parametrize("known", range(0, 60, 3))
def test_it_is_the_same_from_any_snapshot(known: int) -> None:
    story = many_ends()
    whole = rows(story)
    found = OpenProposals()
    state = journal.initial(STREAM)
    for event in story.events[:known]:
        state = journal.evolve(state, event)
    found.begin(STREAM, min(known, len(whole)), state)

    found.take(whole)

    assert {name.proposal_id for name in found.waiting} == {"jnl_waits", "jnl_frozen", "chg_waits"}
    assert [f"{plan.code}/{plan.sub_key}" for plan in found.closing.values()] == ["1290/c"]
    assert found.due(text_of(NOW + timedelta(days=7))) == []
    assert set(found.due(text_of(NOW + timedelta(days=7, seconds=1)))) == set(found.waiting)


def test_a_journal_that_began_meanwhile_is_known_by_its_first_row() -> None:
    story = JournalStory()
    story.tell(change_request("open", CASH))
    found = OpenProposals()

    found.take(rows(story))
    found.take(rows(story))

    assert list(found.waiting) == [Name(STREAM, "chg_1")]
    assert Name(STREAM, "chg_1").tenant == "demo"
