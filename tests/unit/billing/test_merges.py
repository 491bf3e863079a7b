"""Two households that become one: asked, answered, moved, and what comes late goes on."""

from typing import Any

import pytest

from services.billing.domain.commands import EndRefund
from shared.contracts.billing import (
    AccountMoved,
    InvoiceIssued,
    InvoiceVoided,
    MergeAnswered,
    MergeEnded,
    MergeProposed,
    MonthsMoved,
    PaymentAllocated,
    Refusal,
    RequestRefused,
    TransferReceived,
    TransferRejected,
    TransferSent,
)
from shared.contracts.event import PremiumLine
from tests.unit.billing.money_story import (
    CHECK,
    CHEQUE,
    DISPUTED,
    GIVE_BACK,
    JOIN,
    LOST,
    MERGE,
    OTHER,
    OTHER_OPENED,
    PROPOSED,
    RETURNED,
    SEND,
    TAKEN_IN,
    UNDER_WAY,
    case_of,
    changed,
    decide,
    overpaid,
    paid_by_card,
    paid_twice,
)
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_ACCOUNT,
    ASK_INVOICE,
    DUE_MINOR,
    INVOICE,
    ISSUED,
    LINES,
    NOTHING,
    OPENED,
    PAY,
    SETTLE,
    Story,
    given,
)
from tests.unit.money_world import World

THIRD = "acc_0c"
MOVED = AccountMoved(account_id=ACCOUNT, merge_id=MERGE, to_account_id=OTHER)
MOVED_ON = AccountMoved(account_id=OTHER, merge_id="mrg_3_02", to_account_id=THIRD)
MONTHS = MonthsMoved(
    account_id=ACCOUNT, merge_id=MERGE, routed_to=OTHER, invoice_id=INVOICE, due_date="2026-03-31", currency="USD",
    lines=LINES,
)  # fmt: skip
CREDIT = TransferSent(
    account_id=ACCOUNT, transfer_id="trf_3_09", routed_to=OTHER, amount_minor=1_000, currency="USD", reason="merge",
    sources=(),
)  # fmt: skip


def moved(story: Story) -> Story:
    """Have a household of these facts become part of the other."""
    return given(*story.facts).when(JOIN, TAKEN_IN)


def test_a_merge_asks_first() -> None:
    assert given(OPENED, ISSUED).when(JOIN).then() == (PROPOSED,)


@pytest.mark.parametrize(
    "busy",
    [
        given(*UNDER_WAY),
        given(*paid_by_card()).when(changed(PAY, payment_id="pay_3_99")),
        paid_twice(),
        given(*paid_by_card()).when(GIVE_BACK),
        given(*paid_by_card()).when(DISPUTED),
        overpaid().when(SEND),
    ],
    ids=["attempt", "hold", "case", "refund", "dispute", "transfer"],
)
def test_what_is_under_way_keeps_a_household_where_it_is(busy: Story) -> None:
    assert busy.when(JOIN).then() == (
        RequestRefused(account_id=ACCOUNT, subject=MERGE, reason=Refusal.ACCOUNT_BUSY),
    )  # fmt: skip


def test_a_household_that_is_asked_says_yes_while_it_is_open_to_bills() -> None:
    (answer,) = given(OTHER_OPENED, stream=OTHER).when(PROPOSED).then()
    assert answer == TAKEN_IN


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ((), Refusal.ACCOUNT_UNKNOWN),
        ((OTHER_OPENED, MOVED_ON), Refusal.ACCOUNT_MOVED),
        ((OTHER_OPENED, MergeProposed(account_id=OTHER, merge_id="mrg_3_02", routed_to=ACCOUNT)), Refusal.ACCOUNT_BUSY),
    ],
)
def test_a_household_that_would_not_is_told_why_and_the_merge_ends(facts: Any, reason: Refusal) -> None:
    (answer,) = given(*facts, stream=OTHER).when(PROPOSED).then()
    assert answer == MergeAnswered(account_id=OTHER, merge_id=MERGE, routed_to=ACCOUNT, reason=reason)
    story = given(OPENED, ISSUED).when(JOIN, answer)
    assert story.then()[1:] == (MergeEnded(account_id=ACCOUNT, merge_id=MERGE, reason=reason),)
    assert story.when(PAY).types() == ["attempt-planned"]


def test_two_that_ask_each_other_at_once_both_stay() -> None:
    world = opened_world()
    world.tell(JOIN)
    world.tell(changed(JOIN, merge_id="mrg_3_02", account_id=OTHER, to_account_id=ACCOUNT))
    world.deliver_all()
    assert [world.household(one).moved_to for one in (ACCOUNT, OTHER)] == [None, None]
    assert [world.household(one).merge_id for one in (ACCOUNT, OTHER)] == [None, None]


def test_an_answer_counts_once() -> None:
    assert moved(given(OPENED, ISSUED)).when(TAKEN_IN).then() == NOTHING


def test_an_answer_to_a_merge_that_ended_adds_nothing() -> None:
    assert given(OPENED, ISSUED).when(TAKEN_IN).then() == NOTHING


def test_what_is_not_paid_moves_whole() -> None:
    story = moved(given(OPENED, ISSUED))
    _, account_moved, voided, months = story.then()
    assert account_moved == MOVED
    assert voided == InvoiceVoided(
        account_id=ACCOUNT, invoice_id=INVOICE, currency="USD", lines=LINES, total_minor=DUE_MINOR, is_whole=True,
        reason="merge",
    )  # fmt: skip
    assert months == MONTHS
    assert story.state.invoices[INVOICE].lines == ()


def test_of_a_line_paid_in_part_the_members_rest_moves_without_its_subsidies() -> None:
    story = moved(given(OPENED, ISSUED).when(changed(CHEQUE, amount_minor=10_000)))
    (months,) = [event for event in story.then() if isinstance(event, MonthsMoved)]
    rest = PremiumLine(policy_id="pol_1", coverage_month="2026-03", gross_minor=20_000)
    assert months.lines == (rest, LINES[1])
    (left,) = story.state.invoices[INVOICE].lines
    assert (left.share_minor, left.aptc_minor, left.due_minor) == (10_000, 20_000, 0)


def test_credit_goes_before_the_bills_that_it_pays() -> None:
    world = opened_world()
    world.tell(ASK_INVOICE)
    world.tell(changed(ASK_INVOICE, invoice_id="inv_3_02", lines=LINES[1:]))
    world.tell(changed(CHEQUE, invoice_id="inv_3_02", amount_minor=1_250 + 4_000))
    world.tell(JOIN)
    world.deliver_all()
    other = world.household(OTHER)
    assert sum(fund.unapplied_minor for fund in other.funds.values()) == 0
    assert sum(invoice.due_minor for invoice in other.invoices.values()) == DUE_MINOR - 4_000
    assert world.balance("2140") == 0


def test_moved_months_are_billed_and_credit_that_is_there_pays_them() -> None:
    mine = changed(CHEQUE, account_id=OTHER, invoice_id=None, amount_minor=2_000)
    story = given(OTHER_OPENED, stream=OTHER).when(mine)
    issued, allocated = story.when(MONTHS).then()
    assert isinstance(issued, InvoiceIssued)
    assert (issued.due_date, issued.lines, issued.total_minor) == ("2026-03-31", LINES, DUE_MINOR)
    assert isinstance(allocated, PaymentAllocated)
    assert (allocated.payment_id, allocated.unapplied_minor) == (CHECK, 0)


def test_a_household_that_moved_on_itself_passes_on_what_it_gets() -> None:
    story = given(OTHER_OPENED, MOVED_ON, stream=OTHER)
    assert story.when(MONTHS).then() == (changed(MONTHS, account_id=OTHER, routed_to=THIRD),)
    received, sent = story.when(CREDIT).then()
    assert isinstance(received, TransferReceived)
    assert isinstance(sent, TransferSent)
    assert (sent.routed_to, sent.amount_minor, sent.reason) == (THIRD, 1_000, "moved")


def test_credit_that_somebody_sends_to_a_household_that_moved_comes_back() -> None:
    story = given(OTHER_OPENED, MOVED_ON, stream=OTHER).when(changed(CREDIT, reason="same_family"))
    (rejected,) = story.then()
    assert isinstance(rejected, TransferRejected)
    assert rejected.reason is Refusal.ACCOUNT_MOVED


def test_a_late_cheque_goes_on() -> None:
    story = moved(given(OPENED, ISSUED)).when(CHEQUE)
    assert story.types() == ["check-posted", "payment-allocated", "transfer-sent"]


@pytest.mark.parametrize(
    ("before", "late"),
    [
        (given(*paid_by_card()), LOST),
        (given(*paid_by_card()), GIVE_BACK),
        (given(OPENED, ISSUED).when(CHEQUE), RETURNED),
    ],
    ids=["chargeback lost", "refund", "cheque returned"],
)
def test_a_line_that_is_open_again_late_goes_on_too(before: Story, late: Any) -> None:
    story = moved(before).when(late)
    (months,) = [event for event in story.then() if isinstance(event, MonthsMoved)]
    assert months == MONTHS
    assert story.state.invoices[INVOICE].due_minor == 0


def test_a_refund_that_is_not_made_late_goes_on_as_credit() -> None:
    story = moved(given(*paid_by_card())).when(GIVE_BACK)
    ended = story.when(EndRefund(account_id=ACCOUNT, refund_id=GIVE_BACK.refund_id, reason="refused_by_processor"))
    assert ended.types() == ["refund-cancelled", "transfer-sent"]


def test_the_rest_of_a_late_surplus_goes_on_when_its_case_is_decided() -> None:
    story = moved(given(*paid_by_card())).when(changed(CHEQUE, amount_minor=DUE_MINOR + 500))
    decided = story.when(decide(case_of(story), "refund"))
    assert decided.types() == [
        "duplicate-case-decided", "payment-deallocated", "payment-allocated", "refund-opened", "transfer-sent",
    ]  # fmt: skip
    assert not list(decided.state.spendable("USD"))


def test_credit_in_two_currencies_goes_in_two_transfers() -> None:
    euro = changed(CHEQUE, payment_id="pay_3_77", invoice_id=None, bank_reference="LBX-2", currency="EUR")
    story = moved(overpaid().when(euro))
    sent = [event for event in story.then() if isinstance(event, TransferSent)]
    assert [(one.currency, one.amount_minor) for one in sent] == [("EUR", DUE_MINOR), ("USD", 1_000)]
    assert len({one.transfer_id for one in sent}) == 2


def test_a_household_that_has_moved_takes_nothing_new() -> None:
    story = moved(given(OPENED, ISSUED)).when(PAY, changed(ASK_INVOICE, invoice_id="inv_3_99"), JOIN, SEND)
    assert [getattr(event, "reason", None) for event in story.then()] == [Refusal.ACCOUNT_MOVED] * 4


def test_a_charge_that_is_lost_while_its_household_asks_to_move_moves_open() -> None:
    story = given(*given(*UNDER_WAY).when(SETTLE).facts).when(JOIN, LOST, TAKEN_IN)
    assert [event for event in story.then() if isinstance(event, MonthsMoved)] == [MONTHS]


def opened_world() -> World:
    """Return two opened households."""
    world = World()
    for account_id in (ACCOUNT, OTHER):
        world.tell(changed(ASK_ACCOUNT, account_id=account_id))
    return world
