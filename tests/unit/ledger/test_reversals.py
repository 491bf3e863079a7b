"""I-03: what is taken back names what it takes back, and no entry is taken back beyond its amount."""

from collections import Counter

from hypothesis import given as given_any
from hypothesis import settings

from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, LimitBroken
from tests.unit.ledger.disorder import disorder
from tests.unit.ledger.month import Month, months
from tests.unit.ledger.story import Story

TAKES_BACK = {
    "PR-06r": "PR-06", "PR-21": "PR-01", "PR-09ar": "PR-09a", "PR-09c": "PR-09b", "PR-10b": "PR-10a",
    "PR-16r": "PR-16a",
}  # fmt: skip
NAMED_BY = {"PR-06": "2210", "PR-01": "2210", "PR-09a": "2120", "PR-09b": "2120", "PR-10a": "1260", "PR-16a": "2140"}
OVERFLOW = ("1250", "1290")
Legs = Counter[tuple[str, str]]
Subject = tuple[str | None, ...]


def moved(entry: EntryPosted, side: str) -> Legs:
    return Counter({(one.code, one.sub_key): one.amount_minor for one in entry.postings if one.side == side})


def minor_of(entry: EntryPosted) -> int:
    """What an entry moves; the fee of a chargeback stays the processor's."""
    return sum(minor for (code, _), minor in moved(entry, "D").items() if code != "5040")


def subject(story: Story, entry: EntryPosted) -> Subject:
    """Whose entry it is: of a refund, chargeback or transfer, else of a payment's or bill's line."""
    fact = story.cause_of(entry)
    for field in ("refund_id", "chargeback_id", "transfer_id"):
        if hasattr(fact, field):
            return (getattr(fact, field),)
    place = next(one.sub_key for one in entry.postings if one.code == "2210")
    return (entry.payment_id, entry.invoice_id, place)


def is_known(entry: EntryPosted) -> bool:
    """Tell whether the leg that names the thing is there, not in suspense whole."""
    return any(one.code == NAMED_BY[entry.rule] for one in entry.postings)


def assert_reversals(story: Story) -> None:
    """Walk through the entries; `left` holds those that may be taken back, by id."""
    bent = {event.entry_id for event in story.events if isinstance(event, LimitBroken)}
    left: dict[str, tuple[EntryPosted, int]] = {}
    legs_back: dict[str, tuple[Legs, Legs]] = {}
    for entry in story.entries:
        if entry.rule in NAMED_BY:
            assert entry.reverses is None
            left[entry.entry_id] = (entry, minor_of(entry))
            legs_back[entry.entry_id] = (Counter(), Counter())
        elif entry.rule not in TAKES_BACK:
            assert entry.reverses is None
        elif entry.reverses is None:
            assert not [one for one, minor in left.values() if is_left(story, one, minor, entry)]
        else:
            original, minor = left[entry.reverses]
            assert original.rule == TAKES_BACK[entry.rule]
            assert subject(story, original) == subject(story, entry)
            left[entry.reverses] = (original, minor - minor_of(entry))
            assert left[entry.reverses][1] >= 0
            credits, debits = legs_back[entry.reverses]
            credits.update(moved(entry, "C"))
            debits.update(moved(entry, "D"))
            if original.entry_id not in bent:
                assert_no_leg_beyond(moved(original, "D"), credits)
                assert_no_leg_beyond(moved(original, "C"), debits)


def is_left(story: Story, original: EntryPosted, minor: int, entry: EntryPosted) -> bool:
    """Tell whether `entry`, which names none, could have named this one; a void's line is taken back whole or not."""
    if original.rule != TAKES_BACK[entry.rule] or not minor or not is_known(original):
        return False
    return entry.rule != "PR-21" and subject(story, original) == subject(story, entry)


def assert_no_leg_beyond(posted: Legs, back: Legs) -> None:
    assert all(minor <= posted[leg] for leg, minor in back.items() if leg[0] not in OVERFLOW)


@settings(max_examples=100)
@given_any(months())
def test_in_a_month_that_makes_sense_every_reversal_names_its_entry(month: Month) -> None:
    assert_reversals(month.story)
    assert all(entry.reverses for entry in month.story.entries if entry.rule in TAKES_BACK)


@settings(max_examples=300)
@given_any(disorder)
def test_no_entry_is_taken_back_beyond_its_amount_whatever_billing_says(facts: list[Event]) -> None:
    story = Story()
    story.tell(*facts)

    assert_reversals(story)
