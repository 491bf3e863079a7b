"""A bill paid by card and by cheque, and then all orders of any six things that can still happen to that money."""

from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import Literal

import pytest

from services.billing.domain import commands
from shared.contracts.billing import CheckReturnReported, DisputeTraced
from shared.contracts.event import Method, PremiumLine
from shared.contracts.gateway import (
    AccountRequested,
    CaseDecisionRequested,
    CheckReceived,
    InvoiceRequested,
    PaymentRequested,
    RefundRequested,
    TransferRequested,
)
from tests.unit.money_world import World

A, B, BILL, CARD, CHECK, REFUND = "acc_0a", "acc_0b", "inv_3_1", "pay_3_card", "pay_3_check", "rfd_3_1"
AT, DAY = "2026-03-01T12:00:00.000000Z", "2026-03-02"
DUE = 10_000
Act = Callable[[World], None]


def settle(world: World, charge_ref: str = "ch_1") -> None:
    attempt_id = next(one.attempt_id for one in world.told if hasattr(one, "attempt_id"))
    world.tell(
        commands.SettleAttempt(
            account_id=A, payment_id=CARD, attempt_id=attempt_id, processor="card", processor_ref="pi_1",
            charge_ref=charge_ref, settled_at=AT, settled_on=DAY,
        )
    )  # fmt: skip


def settle_again(world: World) -> None:
    settle(world, "ch_2")


def check_returned(world: World) -> None:
    world.tell(
        CheckReturnReported(
            bank_account="trust", line_ref="L-1", routed_to=A, payment_id=CHECK, amount_minor=DUE, currency="USD",
            returned_on=DAY,
        )
    )  # fmt: skip


def refund(world: World) -> None:
    world.tell(
        RefundRequested(
            refund_id=REFUND, account_id=A, payment_id=CARD, amount_minor=4_000, currency="USD", reason="overpaid",
            release=True, received_at=AT,
        )
    )  # fmt: skip


def refund_bounced(world: World) -> None:
    """A fact about the refund; there is none about a refund that nobody opened, or that never left."""
    known = world.household(A).refunds.get(REFUND)
    if known is not None and known.status != "cancelled":
        world.tell(
            commands.NoteRefund(
                account_id=A,
                refund_id=REFUND,
                refund_ref="re_1",
                status="failed",
                reason="x",
                sent_on=DAY,
                ended_on=DAY,
            )
        )


def traced(world: World, status: str) -> None:
    won = status == "won"
    world.tell(
        DisputeTraced(
            object_id="du_1", routed_to=A, payment_id=CARD, attempt_id="att_1", processor="card", processor_ref="pi_1",
            charge_ref="ch_1", status=status, reason="fraudulent", amount_minor=DUE, currency="USD", opened_at=AT,
            due_by=None, debited_minor=DUE, fee_minor=1_500, debited_on=DAY, reinstated_minor=DUE if won else 0,
            reinstated_on=DAY if won else None,
        )
    )  # fmt: skip


def chargeback_opened(world: World) -> None:
    traced(world, "needs_response")


def chargeback_won(world: World) -> None:
    traced(world, "won")


def chargeback_lost(world: World) -> None:
    traced(world, "lost")


def transfer(world: World) -> None:
    world.tell(
        TransferRequested(
            transfer_id="trf_3_1", account_id=A, to_account_id=B, amount_minor=3_000, currency="USD",
            reason="same_family", received_at=AT,
        )
    )  # fmt: skip


def case_decided(world: World) -> None:
    """The oldest case that waits is decided, each time otherwise."""
    for number, (case_id, case) in enumerate(world.household(A).cases.items()):
        if case.outcome is None:
            decision: Literal["refund", "credit"] = "refund" if number % 2 == 0 else "credit"
            world.tell(
                CaseDecisionRequested(
                    request_id=f"req_{case_id}", account_id=A, case_id=case_id, decision=decision, received_at=AT
                )
            )
            return


ACTS: tuple[Act, ...] = (
    settle, settle_again, check_returned, refund, refund_bounced, chargeback_opened, chargeback_won, chargeback_lost,
    transfer, case_decided,
)  # fmt: skip


@pytest.fixture(scope="module")
def begun() -> World:
    """A bill, a card payment under way on it, and a cheque that paid it first."""
    world = World()
    for account in (A, B):
        world.tell(AccountRequested(account_id=account, member_id="m", language="en", contact=(), received_at=AT))
    line = PremiumLine(policy_id="pol_1", coverage_month="2026-04", gross_minor=DUE)
    world.tell(
        InvoiceRequested(
            invoice_id=BILL, account_id=A, due_date="2026-04-01", currency="USD", lines=(line,), received_at=AT
        )
    )
    (planned,) = world.tell(
        PaymentRequested(
            payment_id=CARD, reference="R", account_id=A, invoice_id=BILL, amount_minor=DUE, currency="USD",
            method=Method("card", "pm"), received_at=AT,
        )
    )  # fmt: skip
    attempt_id: str = planned.attempt_id  # type: ignore[attr-defined]
    world.tell(
        commands.RegisterAttempt(
            account_id=A, payment_id=CARD, attempt_id=attempt_id, processor="card", processor_ref="pi_1"
        )
    )
    world.tell(
        CheckReceived(
            payment_id=CHECK, reference="R2", account_id=A, invoice_id=BILL, amount_minor=DUE, currency="USD",
            bank_account="trust", bank_reference="LBX-1", received_on=DAY, received_at=AT,
        )
    )  # fmt: skip
    return world


def walk(world: World, left: tuple[Act, ...], depth: int) -> Iterator[World]:
    """Yield the world after every order of `depth` of the acts; what two orders have in common is done once."""
    if depth == 0:
        yield world
        return
    for number, act in enumerate(left):
        following = world.fork()
        act(following)
        yield from walk(following, left[:number] + left[number + 1 :], depth - 1)


def conserved(world: World) -> None:
    """Compare billing with the books, and what came in with where it is."""
    home = world.household(A)
    assert world.broken == []
    assert -world.balance("2110", A) == sum(fund.unapplied_minor for fund in home.funds.values())
    assert world.balance("1210", account_id=A) == sum(invoice.due_minor for invoice in home.invoices.values())
    assert world.balance("1250", A) == sum(fund.recovery_minor for fund in home.funds.values())
    assert world.balance("2140") == 0
    assert sum(world.balance(code) for code in {p.code for entry in world.entries for p in entry.postings}) == 0
    for fund in home.funds.values():
        paid_out = fund.refunded_minor + fund.taken_back_minor + fund.transferred_minor
        assert fund.allocated_minor + fund.unapplied_minor + paid_out == fund.settled_minor
        assert min(fund.allocated_minor, fund.unapplied_minor, fund.refunded_minor, fund.recovery_minor) >= 0
        assert fund.recovery_minor <= fund.refunded_minor + fund.transferred_minor


def test_all_orders_of_any_six_conserve_and_pay_nothing_out_twice(begun: World) -> None:
    count = 0
    for world in walk(begun, ACTS, 6):
        world.deliver_all()
        conserved(world)
        count += 1
    assert count == 151_200


def totals(world: World) -> dict[str, int]:
    codes = ("1010", "1125", "1210", "1250", "1260", "2110", "2120", "2220", "2310", "5040")
    return {code: world.balance(code) for code in codes}


@pytest.mark.parametrize("end", [chargeback_won, chargeback_lost])
def test_facts_end_in_one_state_whatever_their_order(begun: World, end: Act) -> None:
    facts: tuple[Act, ...] = (settle, settle_again, check_returned, chargeback_opened, end)
    for size in range(2, len(facts) + 1):
        for chosen in combinations(facts, size):
            ends = set()
            for order in permutations(chosen):
                world = begun.fork()
                for act in order:
                    act(world)
                conserved(world)
                ends.add(tuple(totals(world).items()))
            assert len(ends) == 1, [act.__name__ for act in chosen]


@pytest.mark.parametrize("end", [chargeback_won, chargeback_lost])
def test_what_becomes_of_a_refund_and_of_a_chargeback_ends_in_one_state(begun: World, end: Act) -> None:
    base = begun.fork()
    settle(base)
    check_returned(base)
    refund(base)
    ends = set()
    for order in permutations((refund_bounced, chargeback_opened, end)):
        world = base.fork()
        for act in order:
            act(world)
        conserved(world)
        ends.add(tuple(totals(world).items()))
    assert len(ends) == 1
