"""Money that comes twice, or nearly does: two clicks, a processor that charges twice, a card and a cheque."""

from collections.abc import Callable
from typing import Literal

from deploy.demo.acts import AnyAct, Await, Cheque, Decide, DecideCase, Pay
from deploy.demo.draw import Draw
from deploy.demo.moments import (
    DAY_4,
    DAY_7,
    DAY_10,
    DAY_13,
    DAY_19,
    NEXT_DAY,
    NEXT_NOON,
    START,
    THIRD_DAY,
)

Outcome = Literal["refund", "credit", "not_a_duplicate"]


def _two_clicks(draw: Draw, minor: int) -> tuple[Pay, Pay]:
    card = draw.card()
    first = Pay(moment=NEXT_DAY, name="it", bill="first", minor=minor, card=card)
    second = Pay(
        moment=NEXT_DAY,
        name="second click",
        bill="first",
        minor=minor,
        card=card,
        status="held",
        first_click_of="it",
    )
    return first, second


def charged_after_all(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Two clicks, and the member means both: the second is credit, which the next bill uses."""
    bill = draw.bill(START)
    return (
        bill,
        *_two_clicks(draw, bill.share_minor),
        Decide(moment=THIRD_DAY, payment="second click", decision="charge"),
        Await(moment=THIRD_DAY, payment="second click", status="settled"),
        draw.second_bill(DAY_19),
    )


def given_up(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Two clicks, and the member takes the second back."""
    bill = draw.bill(START)
    return (
        bill,
        *_two_clicks(draw, bill.share_minor),
        Decide(moment=draw.one_of(NEXT_DAY, THIRD_DAY), payment="second click", decision="cancel"),
        Await(moment=THIRD_DAY, payment="second click", status="cancelled", reason="cancelled_by_member"),
    )


def never_decided(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Two clicks, and nobody says anything for 72 hours."""
    bill = draw.bill(START)
    return (
        bill,
        *_two_clicks(draw, bill.share_minor),
        Await(moment=DAY_7, payment="second click", status="cancelled", reason="hold_expired"),
    )


def charged_twice(outcome: Outcome) -> Callable[[Draw, int], tuple[AnyAct, ...]]:
    """Return the story of a processor that charges twice for one payment."""

    def story(draw: Draw, number: int) -> tuple[AnyAct, ...]:
        bill = draw.bill(START, draw.one_of("A", "AB"))
        minor, card = bill.share_minor, draw.card()
        return (
            bill,
            Pay(moment=NEXT_DAY, name="it", bill="first", minor=minor, card=card, trouble="charged_twice"),
            DecideCase(moment=NEXT_NOON, payment="it", decision=outcome),
        )

    return story


def charged_twice_unseen(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The processor charges twice and does not show it: it is found days later."""
    bill = draw.bill(START)
    return (
        bill,
        Pay(
            moment=DAY_10,
            name="it",
            bill="first",
            minor=bill.share_minor,
            card=draw.card(),
            trouble="charged_twice",
        ),
        DecideCase(moment=DAY_13, payment="it", decision="refund"),
    )


def card_and_cheque(outcome: Outcome) -> Callable[[Draw, int], tuple[AnyAct, ...]]:
    """Return the story of a bill that is paid by card, and by a cheque that was in the post."""

    def story(draw: Draw, number: int) -> tuple[AnyAct, ...]:
        bill = draw.bill(START)
        minor = bill.share_minor
        return (
            bill,
            Pay(moment=NEXT_DAY, name="it", bill="first", minor=minor, card=draw.card()),
            Cheque(moment=DAY_4, name="cheque", bill="first", minor=minor, shown=((DAY_4, minor),)),
            DecideCase(moment=draw.one_of(DAY_4, DAY_7), payment="cheque", decision=outcome),
        )

    return story
