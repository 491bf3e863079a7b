"""No entry has a day that no calendar has, or an amount that no account can hold: such a fact is parked."""

import msgspec
import pytest

from shared.money import MAX_MINOR
from tests.unit.ledger.facts import debited
from tests.unit.ledger.story import Story, given, registered, settled


def test_a_forged_day_is_parked_and_posts_nothing() -> None:
    story = given(registered())

    with pytest.raises(ValueError, match="month"):
        story.tell(msgspec.structs.replace(settled(), settled_on="2026-99-99"))
    assert [entry.rule for entry in story.entries] == ["PR-04"]


@pytest.mark.parametrize("fee_minor", [1, MAX_MINOR])
def test_an_amount_above_what_an_account_holds_is_parked(fee_minor: int) -> None:
    with pytest.raises(ValueError, match="PR-10a"):
        Story().tell(debited(MAX_MINOR, fee_minor))
