"""An account's story: what is told of billing's events, and what each is about."""

import pytest

from services.gateway.projections.history import _SUBJECT
from shared.contracts.billing import BILLING_EVENTS
from shared.contracts.event import Event

INTERNAL = {
    "billing.attempt-registered.v1",
    "billing.attempt-nudged.v1",
    "billing.refund-nudged.v1",
    "billing.dispute-kept.v1",
    "billing.check-return-kept.v1",
}


def test_all_that_billing_says_of_a_household_is_told_but_what_changes_nothing_for_it() -> None:
    of_households = {event.TYPE for event in BILLING_EVENTS if "account_id" in event.__struct_fields__}
    told = {event.TYPE for event in _SUBJECT if event in BILLING_EVENTS}
    assert of_households - told == INTERNAL
    assert told <= of_households


@pytest.mark.parametrize(("event", "subject"), list(_SUBJECT.items()))
def test_every_fact_that_is_told_is_about_something(event: type[Event], subject: str) -> None:
    assert subject in event.__struct_fields__
