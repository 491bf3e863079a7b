"""Bills that are paid as they should be: in full, in part, too much, late, by somebody else."""

from deploy.demo.acts import AnyAct, Pay, Repeat
from deploy.demo.draw import Draw
from deploy.demo.moments import DAY_4, DAY_10, DAY_16, DAY_19, DAY_28, NEXT_DAY, START, THIRD_DAY


def in_full(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """One bill, one payment, on any of the first days."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    at = draw.one_of(START, NEXT_DAY, THIRD_DAY, DAY_4, DAY_10)
    return (bill, Pay(moment=at, name="it", bill="first", minor=bill.share_minor, card=draw.card()))


def retried(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """The client loses the answer and posts again."""
    bill = draw.bill(START)
    pay = Pay(moment=draw.one_of(START, NEXT_DAY), name="it", bill="first", minor=bill.share_minor, card=draw.card())
    return (bill, pay, Repeat(moment=pay.moment, payment="it"))


def in_parts(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """Paid in two parts, some days apart."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    part = draw.minor(1_000, bill.share_minor - 1_000)
    return (
        bill,
        Pay(moment=NEXT_DAY, name="one part", bill="first", minor=part, card=draw.card()),
        Pay(moment=DAY_10, name="the rest", bill="first", minor=bill.share_minor - part, card=draw.card()),
    )


def too_much(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """More than is due, knowingly: the next bill uses the credit, and the rest of it is paid."""
    bill = draw.bill(START)
    more = draw.minor(500, 5_000)
    second = draw.second_bill(DAY_19)
    return (
        bill,
        Pay(
            moment=THIRD_DAY,
            name="it",
            bill="first",
            minor=bill.share_minor + more,
            card=draw.card(),
            accepts_credit=True,
        ),
        second,
        Pay(moment=DAY_28, name="the rest", bill="second", minor=second.share_minor - more, card=draw.card()),
    )


def more_than_due(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """More than is due without wanting credit is refused; then the right amount, then again though it is paid."""
    bill = draw.bill(START)
    due = bill.share_minor
    return (
        bill,
        Pay(
            moment=NEXT_DAY,
            name="too much",
            bill="first",
            minor=due + draw.minor(1, 900),
            card=draw.card(),
            status="refused",
            reason="amount_not_due",
        ),
        Pay(moment=NEXT_DAY, name="it", bill="first", minor=due, card=draw.card()),
        Pay(
            moment=DAY_4,
            name="once more",
            bill="first",
            minor=due,
            card=draw.card(),
            status="refused",
            reason="invoice_paid",
        ),
    )


def one_of_two_policies(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """First the one policy of the bill, days later the other."""
    bill = draw.bill(START, "AB")
    one, other = draw.one_of(bill.lines, tuple(reversed(bill.lines)))
    return (
        bill,
        Pay(moment=THIRD_DAY, name="one", bill="first", minor=one.share_minor, card=draw.card(), policy=one.policy),
        Pay(moment=DAY_10, name="other", bill="first", minor=other.share_minor, card=draw.card(), policy=other.policy),
    )


def late(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """After the due date."""
    bill = draw.bill(START, draw.one_of("A", "AB"))
    return (bill, Pay(moment=DAY_16, name="it", bill="first", minor=bill.share_minor, card=draw.card()))


def by_an_assister(draw: Draw, number: int) -> tuple[AnyAct, ...]:
    """A third person pays."""
    bill = draw.bill(START)
    pay = Pay(moment=DAY_4, name="it", bill="first", minor=bill.share_minor, card=draw.card(), by="assister")
    return (bill, pay)
