"""Money that banks take back: disputed charges and returned cheques; and what bank statements show late or wrong."""

from deploy.demo.acts import AnyAct, Bill, Cheque, ChequeReturned, Dispute, DisputeEnds, Pay, Refund
from deploy.demo.draw import Draw
from deploy.demo.moments import DAY_4, DAY_7, DAY_10, DAY_13, DAY_16, NEXT_DAY, START, THIRD_DAY


def _paid(draw: Draw, *, large: bool = False) -> tuple[Bill, Pay]:
    bill = draw.bill(START, large=large)
    return (bill, Pay(moment=NEXT_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card()))


def inquiry(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank asks and lets it be."""
    return (
        *_paid(draw),
        Dispute(moment=DAY_4, payment="it", inquiry=True),
        DisputeEnds(moment=DAY_10, payment="it", outcome="dropped"),
    )


def won(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank takes the money, and gives it back."""
    return (
        *_paid(draw),
        Dispute(moment=DAY_4, payment="it", inquiry=False),
        DisputeEnds(moment=DAY_13, payment="it", outcome="won"),
    )


def lost(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank takes the money and keeps it: the bill is open again, and is paid by another card."""
    bill, pay = _paid(draw)
    return (
        bill,
        pay,
        Dispute(moment=DAY_4, payment="it", inquiry=False),
        DisputeEnds(moment=DAY_13, payment="it", outcome="lost"),
        Pay(moment=DAY_16, name="again", bill="first", minor=pay.minor, card=draw.card()),
    )


def lost_after_refund(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """A part was given back before the bank takes all of it: the member owes that part."""
    bill, pay = _paid(draw)
    back = draw.minor(1_000, pay.minor // 2)
    return (
        bill,
        pay,
        Refund(moment=DAY_4, name="back", payment="it", minor=back, status="completed", release=True),
        Dispute(moment=DAY_7, payment="it", inquiry=False),
        DisputeEnds(moment=DAY_13, payment="it", outcome="lost"),
        Pay(moment=DAY_16, name="again", bill="first", minor=pay.minor, card=draw.card()),
    )


def overtakes_refund(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank takes the money while a large refund waits for approval: the refund is not sent."""
    bill, pay = _paid(draw, large=True)
    return (
        bill,
        pay,
        Refund(moment=DAY_4, name="back", payment="it", minor=pay.minor, status="awaiting_approval", release=True),
        Dispute(moment=DAY_7, payment="it", inquiry=False),
        DisputeEnds(moment=DAY_13, payment="it", outcome="lost"),
    )


def by_cheque(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """A cheque pays the bill, with or without naming it."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    minor = bill.share_minor
    named = draw.one_of("first", None)
    return (bill, Cheque(moment=DAY_4, name="cheque", bill=named, minor=minor, shown=((DAY_4, minor),)))


def cheque_shown_late(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The lockbox tells of a cheque that the bank's statement shows days later."""
    bill = draw.bill(START)
    minor = bill.share_minor
    return (bill, Cheque(moment=THIRD_DAY, name="cheque", bill="first", minor=minor, shown=((DAY_4, minor),)))


def cheque_misread(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank books a part of a cheque and corrects itself days later."""
    bill = draw.bill(START)
    minor, less = bill.share_minor, draw.minor(100, 900)
    shown = ((DAY_4, minor - less), (DAY_7, less))
    return (bill, Cheque(moment=DAY_4, name="cheque", bill="first", minor=minor, shown=shown))


def cheque_of_nobody(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The bank shows a cheque of which nobody knows whose it is; days later it is found out."""
    bill = draw.bill(START)
    minor = bill.share_minor
    return (bill, Cheque(moment=DAY_16, name="cheque", bill="first", minor=minor, shown=((DAY_10, minor),)))


def cheque_returned(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The cheque has no cover: the bill is open again, and is paid by card."""
    bill = draw.bill(START)
    minor = bill.share_minor
    return (
        bill,
        Cheque(moment=DAY_4, name="cheque", bill="first", minor=minor, shown=((DAY_4, minor),)),
        ChequeReturned(moment=DAY_10, payment="cheque"),
        Pay(moment=DAY_13, name="it", bill="first", minor=minor, card=draw.card()),
    )
