"""One household to the cent: 808.31 a month, 626.66 of it subsidy, 181.65 its own; it pays 200.00."""

import pytest

from shared.contracts.event import Event
from shared.contracts.ledger import LimitBroken
from tests.unit.ledger.facts import bounced, check, debited, lost, opened, part, recovered, returned, sent, unpaid
from tests.unit.ledger.story import PAID_200, Story, allocated, bill, registered, settled

Walk = list[tuple[tuple[Event, ...], dict[str, int]]]

BILLED = {"1210": 18_165, "1220": 62_666, "2210": -80_831}
PAID = {"1220": 62_666, "2110": -1_835, "2210": -62_666, "2220": -18_165}
BY_CHECK = (bill(), check(20_000), allocated())


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(
            [
                ((bill(),), BILLED),
                ((registered(20_000),), {**BILLED, "1120": 20_000, "2310": -20_000}),
                ((settled(20_000),), {**BILLED, "1125": 20_000, "2110": -20_000}),
                ((allocated(),), {**PAID, "1125": 20_000}),
            ],
            id="paid",
        ),
        pytest.param(
            [
                (PAID_200, {**PAID, "1125": 20_000}),
                ((opened(),), {**PAID, "1125": 20_000, "2110": 0, "2120": -1_835}),
                ((sent(),), {**PAID, "1125": 18_165, "2110": 0}),
                ((bounced(),), {**PAID, "1125": 20_000}),
            ],
            id="refunded-and-bounced",
        ),
        pytest.param(
            [
                ((*PAID_200, opened(), sent()), {**PAID, "1125": 18_165, "2110": 0}),
                ((debited(),), {**PAID, "1125": -3_335, "1260": 20_000, "2110": 0, "5040": 1_500}),
                ((unpaid(part()),), {**BILLED, "1125": -3_335, "1260": 20_000, "2110": -18_165, "5040": 1_500}),
                ((lost(18_165, 1_835),), {**BILLED, "1125": -3_335, "1250": 1_835, "5040": 1_500}),
                ((bounced(),), {**BILLED, "1125": -1_500, "1250": 1_835, "2110": -1_835, "5040": 1_500}),
                ((recovered(1_835),), {**BILLED, "1125": -1_500, "5040": 1_500}),
            ],
            id="charged-back-after-a-refund-that-bounces-in-the-end",
        ),
        pytest.param(
            [
                (BY_CHECK, {**PAID, "1010": 20_000}),
                ((unpaid(part()),), {**BILLED, "1010": 20_000, "2110": -20_000}),
                ((returned(20_000),), BILLED),
            ],
            id="returned-after-settlement",
        ),
    ],
)
def test_balances_are_known_after_every_step(walk: Walk) -> None:
    story = Story()
    for facts, expected in walk:
        story.tell(*facts)
        held = story.by_code()
        assert held == {code: minor for code, minor in expected.items() if minor}
        assert sum(held.values()) == 0
    assert not [event for event in story.events if isinstance(event, LimitBroken)]
