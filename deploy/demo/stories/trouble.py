"""Payments that do not go through at once: declined, waiting for the member, or with an outcome that nobody knows."""

from collections.abc import Callable

from deploy.demo.acts import AnyAct, Authenticate, Await, Cancel, Pay, Trouble
from deploy.demo.draw import Draw
from deploy.demo.moments import AWAY, DAY_4, DAY_7, DAY_10, LEAVES, NEXT_DAY, RETURNED, START, THIRD_DAY

ASKS = ("pm_card_authenticationRequired", "pm_card_threeDSecure2Required")


def declined(card: str, reason: str) -> Callable[[Draw, int], tuple[AnyAct, ...]]:
    """Return the story of a card that is declined, and of a good one afterwards."""

    def story(draw: Draw, number: int) -> tuple[AnyAct, ...]:
        bill = draw.bill(START)
        minor = bill.share_minor
        return (
            bill,
            Pay(moment=NEXT_DAY, name="bad", bill="first", minor=minor, card=card, status="declined", reason=reason),
            Pay(moment=draw.one_of(NEXT_DAY, DAY_4), name="good", bill="first", minor=minor, card=draw.card()),
        )

    return story


def confirmed_by_member(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The card's bank asks, the member answers."""
    bill = draw.bill(START)
    return (
        bill,
        _asked(draw, bill.share_minor),
        Authenticate(moment=THIRD_DAY, payment="it", outcome="complete"),
        Await(moment=THIRD_DAY, payment="it", status="settled"),
    )


def not_confirmed(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The card's bank asks, the member's answer is wrong; another card pays."""
    bill = draw.bill(START)
    return (
        bill,
        _asked(draw, bill.share_minor),
        Authenticate(moment=THIRD_DAY, payment="it", outcome="fail"),
        Await(moment=THIRD_DAY, payment="it", status="declined", reason="authentication_failed"),
        Pay(moment=DAY_4, name="good", bill="first", minor=bill.share_minor, card=draw.card()),
    )


def abandoned(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The card's bank asks, the member goes away; days later another card pays."""
    bill = draw.bill(START)
    return (
        bill,
        _asked(draw, bill.share_minor),
        Await(moment=DAY_4, payment="it", status="cancelled", reason="action_expired"),
        Pay(moment=DAY_4, name="good", bill="first", minor=bill.share_minor, card=draw.card()),
    )


def cancelled_by_member(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The card's bank asks, the member cancels and pays with another card."""
    bill = draw.bill(START)
    return (
        bill,
        _asked(draw, bill.share_minor),
        Cancel(moment=THIRD_DAY, payment="it"),
        Await(moment=THIRD_DAY, payment="it", status="cancelled", reason="cancelled_by_member"),
        Pay(moment=DAY_4, name="good", bill="first", minor=bill.share_minor, card=draw.card()),
    )


def _asked(draw: Draw, minor: int) -> Pay:
    return Pay(
        moment=THIRD_DAY, name="it", bill="first", minor=minor, card=draw.one_of(*ASKS), status="action_required"
    )


def answer_lost(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The processor charges and its answer is lost: unknown, asked after, settled, once."""
    bill = draw.bill(START)
    trouble: Trouble = draw.one_of("answer_lost", "error_after_charge")
    pay = Pay(moment=THIRD_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card(), trouble=trouble)
    return (bill, pay)


def unknown_for_an_hour(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The answer is lost and the processor is away: unknown until it is back."""
    bill = draw.bill(START)
    return (
        bill,
        Pay(
            moment=DAY_7,
            name="it",
            bill="first",
            minor=bill.share_minor,
            card=draw.card(),
            status="unknown",
            trouble="answer_lost_and_deaf",
        ),
        Await(moment=RETURNED, payment="it", status="settled"),
    )


def not_tried(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Asked for while the processor is away: given up in time, tried anew when it is back."""
    bill = draw.bill(START)
    minor, card = bill.share_minor, draw.card()
    return (
        bill,
        Pay(moment=LEAVES, name="it", bill="first", minor=minor, card=card, status="accepted"),
        Await(moment=AWAY, payment="it", status="cancelled", reason="processor_timeout"),
        Pay(moment=draw.one_of(RETURNED, DAY_10), name="again", bill="first", minor=minor, card=card),
    )
