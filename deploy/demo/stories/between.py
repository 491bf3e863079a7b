"""What happens between households: credit that is passed on, and two that become one.

Each story names its partner by distance in the rota; the partner's own acts are on other days.
"""

from deploy.demo.acts import AnyAct, Merge, Pay, Transfer
from deploy.demo.draw import Draw
from deploy.demo.moments import DAY_4, DAY_7, DAY_10, DAY_13, DAY_16, DAY_19, NEXT_DAY, START, THIRD_DAY


def _overpaid(draw: Draw, more: int) -> tuple[AnyAct, ...]:
    bill = draw.bill(START)
    minor = bill.share_minor + more
    pay = Pay(moment=NEXT_DAY, name="it", bill="first", minor=minor, card=draw.card(), accepts_credit=True)
    return (bill, pay)


def sends_credit(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Credit goes to the next household, a part of it or all."""
    more = draw.minor(3_000, 9_000)
    sent = draw.one_of(more, draw.minor(1_000, 2_999))
    return (*_overpaid(draw, more), Transfer(moment=DAY_4, name="credit", to=number + 1, minor=sent))


def gets_credit(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """A bill is paid in full; what the household before sends is credit, which the next bill uses."""
    bill = draw.bill(START)
    pay = Pay(moment=THIRD_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card())
    return (bill, pay, draw.second_bill(DAY_19))


def moves_owing(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Part of the bill is paid when the household becomes part of the next one, which is billed for the rest."""
    bill = draw.bill(START, "AB")
    part = draw.minor(1_000, bill.lines[0].share_minor - 1)
    return (
        bill,
        Pay(moment=THIRD_DAY, name="part", bill="first", minor=part, card=draw.card()),
        Merge(moment=DAY_13, into=number + 1),
    )


def takes_in_owing(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Its own bill is paid; days after the merge the moved one is, out of credit that was there."""
    more = draw.minor(100, 900)
    return _overpaid(draw, more)


def sends_to_closed(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Credit sent to a household that has moved comes back."""
    more = draw.minor(3_000, 9_000)
    gone = Transfer(moment=DAY_16, name="credit", to=number - 2, minor=more, status="returned")
    return (*_overpaid(draw, more), gone)


def moves_with_credit(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """All is paid, and more: the credit goes with the household to the next one."""
    return (*_overpaid(draw, draw.minor(500, 2_500)), Merge(moment=DAY_7, into=number + 1))


def takes_in_credit(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The credit of the household before helps with the next bill."""
    bill = draw.bill(START)
    pay = Pay(moment=THIRD_DAY, name="it", bill="first", minor=bill.share_minor, card=draw.card())
    return (bill, pay, draw.second_bill(DAY_10))
