"""Money that goes back to the member, and bills that are taken back."""

from deploy.demo.acts import AnyAct, AwaitRefund, Pay, Refund, Void
from deploy.demo.draw import Draw
from deploy.demo.moments import DAY_4, DAY_7, DAY_10, DAY_13, DAY_22, DAY_25, NEXT_DAY, START

BOUNCES = "pm_card_refundFail"


def of_credit(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Too much was paid; what is over goes back, more than that is refused."""
    bill = draw.bill(START)
    more = draw.minor(2_000, 9_000)
    return (
        bill,
        Pay(
            moment=NEXT_DAY,
            name="it",
            bill="first",
            minor=bill.share_minor + more,
            card=draw.card(),
            accepts_credit=True,
        ),
        Refund(
            moment=DAY_7,
            name="all of it",
            payment="it",
            minor=more + 1,
            status="refused",
            reason="credit_too_small",
        ),
        Refund(moment=DAY_7, name="back", payment="it", minor=more, status="completed", purpose="overpaid"),
    )


def of_a_paid_bill(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """A paid bill was wrong for the member: it is open again and paid by another card."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    back = draw.minor(1_000, bill.share_minor)
    return (
        bill,
        Pay(moment=NEXT_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card()),
        Refund(
            moment=DAY_4,
            name="back",
            payment="it",
            minor=back,
            status="completed",
            release=True,
            by="support",
        ),
        Pay(moment=DAY_10, name="again", bill="first", minor=back, card=draw.card()),
    )


def bounced(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The refund comes back after it was completed: it is credit again, and pays the next bill."""
    bill = draw.bill(START)
    more = draw.minor(2_000, 9_000)
    return (
        bill,
        Pay(
            moment=NEXT_DAY,
            name="it",
            bill="first",
            minor=bill.share_minor + more,
            card=BOUNCES,
            accepts_credit=True,
        ),
        Refund(moment=DAY_4, name="back", payment="it", minor=more, status="completed"),
        AwaitRefund(moment=DAY_7, refund="back", status="bounced"),
        draw.second_bill(DAY_22, more),
    )


def large(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """More than 500.00: two people of finance must say yes, and one person counts once."""
    bill = draw.bill(START, large=True)
    return (
        bill,
        Pay(moment=NEXT_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card()),
        Refund(
            moment=DAY_7,
            name="back",
            payment="it",
            minor=bill.share_minor,
            status="completed",
            release=True,
            purpose="billed_in_error",
            approvals=("ana", "ana", "ben"),
        ),
        Void(moment=DAY_13, bill="first"),
    )


def rejected(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """One approves, one says no: nothing leaves, and the money is credit."""
    bill = draw.bill(START, large=True)
    return (
        bill,
        Pay(
            moment=NEXT_DAY,
            name="it",
            bill="first",
            minor=2 * bill.share_minor,
            card=draw.card(),
            accepts_credit=True,
        ),
        Refund(
            moment=DAY_4,
            name="back",
            payment="it",
            minor=bill.share_minor,
            status="cancelled",
            reason="rejected",
            approvals=("ana", "no:ben"),
        ),
    )


def void_whole(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The whole bill was wrong: what had paid it is credit, and goes back."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    minor = bill.share_minor
    return (
        bill,
        Pay(moment=NEXT_DAY, name="it", bill="first", minor=minor, card=draw.card()),
        Void(moment=DAY_10, bill="first"),
        Refund(moment=DAY_13, name="back", payment="it", minor=minor, status="completed", purpose="billed_in_error"),
    )


def void_line(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """One of two policies ends: its premium is taken back; the next bill uses the credit, and the rest is paid."""
    bill = draw.bill(START, "AB")
    rest = draw.minor(1_000, 9_000)
    return (
        bill,
        Pay(moment=NEXT_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card()),
        Void(moment=DAY_10, bill="first", policy="B"),
        draw.second_bill(DAY_22, bill.lines[1].share_minor + rest),
        Pay(moment=DAY_25, name="the rest", bill="second", minor=rest, card=draw.card()),
    )
