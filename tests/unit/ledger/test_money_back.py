"""What is taken back, given back and passed on: exact postings, each reversal linked to what it takes back."""

from typing import Any

import pytest

from services.ledger.domain.standing import Left, Standing, taken_back
from shared.contracts.billing import (
    ChargebackDebited,
    ChargebackLost,
    ChargebackWon,
    CheckPosted,
    InvoiceVoided,
    PaymentDeallocated,
    PaymentReturned,
    RecoveryPaid,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
    Refusal,
    Source,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Allocation, PremiumLine
from shared.contracts.ledger import EntryPosted, LimitBroken
from tests.unit.ledger.story import (
    ACCOUNT,
    LINE,
    MONTH,
    POLICY,
    Story,
    allocated,
    bill,
    given,
    legs,
    registered,
    settled,
)

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"
PLACE = f"{POLICY}/{MONTH}"
REFUND: dict[str, Any] = {
    "account_id": ACCOUNT, "refund_id": "rfd_3_1", "payment_id": "pay_3_1", "fund_id": "pay_3_1", "reference": "REF",
    "amount_minor": 1_835, "currency": "USD",
}  # fmt: skip
OPENED = RefundOpened(
    **REFUND, reason="overpaid", processor="card", processor_ref="pi_1", charge_ref="ch_1", approvals_needed=0,
    digest="d", approve_by=None, case_id="case_3_1",
)  # fmt: skip
SENT = RefundSent(
    account_id=ACCOUNT, refund_id="rfd_3_1", payment_id="pay_3_1", processor="card", processor_ref="pi_1",
    refund_ref="re_1", amount_minor=1_835, currency="USD", sent_on="2026-02-12", case_id="case_3_1",
)  # fmt: skip
BOUNCED = RefundBounced(
    **REFUND, processor="card", processor_ref="pi_1", refund_ref="re_1", bounced_on="2026-02-20", reason="closed",
    case_id="case_3_1",
)  # fmt: skip
CANCELLED = RefundCancelled(**REFUND, reason="rejected")
DEBITED = ChargebackDebited(
    account_id=ACCOUNT, chargeback_id="du_1", payment_id="pay_3_1", processor="card", processor_ref="pi_1",
    amount_minor=20_000, fee_minor=1_500, currency="USD", debited_on="2026-02-14",
)  # fmt: skip
WON = ChargebackWon(
    account_id=ACCOUNT, chargeback_id="du_1", payment_id="pay_3_1", reference="REF", processor="card",
    processor_ref="pi_1", amount_minor=20_000, currency="USD", reinstated_on="2026-03-01",
)  # fmt: skip


def part(minor: int = 18_165, invoice_id: str = "inv_3_1") -> Allocation:
    return Allocation(invoice_id=invoice_id, policy_id=POLICY, coverage_month=MONTH, amount_minor=minor)


def unpaid(*parts: Allocation) -> PaymentDeallocated:
    return PaymentDeallocated(
        account_id=ACCOUNT, payment_id="pay_3_1", currency="USD", allocations=parts, unapplied_minor=0,
        reason="refund", subject="rfd_3_1",
    )  # fmt: skip


def lost(from_credit_minor: int, recovery_minor: int) -> ChargebackLost:
    return ChargebackLost(
        account_id=ACCOUNT, chargeback_id="du_1", payment_id="pay_3_1", fund_id="pay_3_1", reference="REF",
        processor="card", amount_minor=from_credit_minor + recovery_minor, from_credit_minor=from_credit_minor,
        recovery_minor=recovery_minor, currency="USD",
    )  # fmt: skip


def paid_200() -> Story:
    """A bill of 181.65 paid with 200.00: 18.35 are credit."""
    return given(bill(), registered(20_000), settled(20_000), allocated())


def entry(story: Story, rule: str) -> EntryPosted:
    return [one for one in story.entries if one.rule == rule][-1]


def test_a_deallocation_reverses_the_entry_that_paid_the_line() -> None:
    story = paid_200()
    (back,) = story.tell(unpaid(part()))
    assert legs(back) == [
        ("D", "1210", OWED, 18_165), ("D", "2220", POLICY, 18_165),
        ("C", "2110", ACCOUNT, 18_165), ("C", "2210", PLACE, 18_165),
    ]  # fmt: skip
    assert isinstance(back, EntryPosted)
    assert (back.rule, back.reverses) == ("PR-06r", entry(story, "PR-06").entry_id)


def test_a_deallocation_in_parts_never_takes_more_off_an_entry_than_it_posted() -> None:
    story = paid_200()
    first = story.tell(unpaid(part(10_000)))
    second = story.tell(unpaid(part(8_165)))
    original = entry(story, "PR-06").entry_id
    assert [one.reverses for one in (*first, *second) if isinstance(one, EntryPosted)] == [original, original]
    over = [one for one in story.tell(unpaid(part(5))) if isinstance(one, EntryPosted)]
    assert [one.reverses for one in over] == [None]


def test_a_deallocation_over_two_entries_reverses_the_newest_first() -> None:
    story = given(
        bill(),
        registered(20_000),
        settled(20_000),
        allocated((POLICY, MONTH, 10_000)),
        allocated((POLICY, MONTH, 8_165)),
    )
    older, newer = [one.entry_id for one in story.entries if one.rule == "PR-06"]
    back = [one for one in story.tell(unpaid(part(9_000))) if isinstance(one, EntryPosted)]
    assert [(one.reverses, one.postings[0].amount_minor) for one in back] == [(newer, 8_165), (older, 835)]


def test_a_void_mirrors_the_bill_and_reverses_it() -> None:
    story = given(bill())
    void = InvoiceVoided(
        account_id=ACCOUNT, invoice_id="inv_3_1", currency="USD", lines=(LINE,), total_minor=18_165, is_whole=True,
        reason="billed_in_error",
    )  # fmt: skip
    (back,) = story.tell(void)
    assert legs(back) == [
        ("D", "2210", PLACE, 80_831), ("C", "1210", OWED, 18_165), ("C", "1220", PLACE, 62_666),
    ]  # fmt: skip
    assert isinstance(back, EntryPosted)
    assert back.reverses == entry(story, "PR-01").entry_id
    assert all(minor == 0 for minor in story.sums().values())


def test_a_void_of_the_unpaid_rest_of_a_line_reverses_a_part_of_its_bill() -> None:
    story = given(bill(), registered(10_000), settled(10_000), allocated((POLICY, MONTH, 10_000)))
    rest = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=8_165)
    (back,) = story.tell(
        InvoiceVoided(
            account_id=ACCOUNT, invoice_id="inv_3_1", currency="USD", lines=(rest,), total_minor=8_165,
            is_whole=False, reason="merge",
        )
    )  # fmt: skip
    assert legs(back) == [("D", "2210", PLACE, 8_165), ("C", "1210", OWED, 8_165)]
    assert isinstance(back, EntryPosted)
    assert back.reverses == entry(story, "PR-01").entry_id


def test_a_refund_is_set_aside_then_sent_on_the_processors_day() -> None:
    story = paid_200()
    (aside,) = story.tell(OPENED)
    (sent,) = story.tell(SENT)
    assert legs(aside) == [("D", "2110", ACCOUNT, 1_835), ("C", "2120", "rfd_3_1", 1_835)]
    assert legs(sent) == [("D", "2120", "rfd_3_1", 1_835), ("C", "1125", "card", 1_835)]
    assert isinstance(sent, EntryPosted)
    assert (sent.rule, sent.effective_date, sent.processor_ref, sent.case_id) == (
        "PR-09b", "2026-02-12", "pi_1", "case_3_1",
    )  # fmt: skip


def test_a_bounced_refund_comes_back_and_is_credit_again() -> None:
    story = paid_200()
    before = story.sums()
    story.tell(OPENED, SENT)
    back, again = (one for one in story.tell(BOUNCED) if isinstance(one, EntryPosted))
    assert (back.rule, back.effective_date, back.reverses) == (
        "PR-09c", "2026-02-20", entry(story, "PR-09b").entry_id,
    )  # fmt: skip
    assert (again.rule, again.reverses) == ("PR-09ar", entry(story, "PR-09a").entry_id)
    assert {key: minor for key, minor in story.sums().items() if minor} == {k: m for k, m in before.items() if m}


def test_a_cancelled_refund_is_credit_again() -> None:
    story = paid_200()
    story.tell(OPENED)
    (again,) = story.tell(CANCELLED)
    assert legs(again) == [("D", "2120", "rfd_3_1", 1_835), ("C", "2110", ACCOUNT, 1_835)]


def test_a_chargeback_takes_amount_and_fee_and_leaves_what_is_paid() -> None:
    story = paid_200()
    (debited,) = story.tell(DEBITED)
    assert legs(debited) == [("D", "1260", "du_1", 20_000), ("D", "5040", "card", 1_500), ("C", "1125", "card", 21_500)]


def test_a_won_chargeback_reverses_all_but_the_fee() -> None:
    story = paid_200()
    story.tell(DEBITED)
    (won,) = story.tell(WON)
    assert legs(won) == [("D", "1125", "card", 20_000), ("C", "1260", "du_1", 20_000)]
    assert isinstance(won, EntryPosted)
    assert won.reverses == entry(story, "PR-10a").entry_id


def test_a_lost_chargeback_after_a_refund_leaves_what_was_given_twice_to_recover() -> None:
    story = paid_200()
    story.tell(OPENED, SENT, DEBITED, unpaid(part()))
    (lost_one,) = story.tell(lost(18_165, 1_835))
    assert legs(lost_one) == [
        ("D", "2110", ACCOUNT, 18_165), ("D", "1250", ACCOUNT, 1_835), ("C", "1260", "du_1", 20_000),
    ]  # fmt: skip
    assert story.sums()[("1210", OWED)] == 18_165
    story.tell(BOUNCED)
    (paid,) = story.tell(RecoveryPaid(account_id=ACCOUNT, payment_id="pay_3_1", amount_minor=1_835, currency="USD"))
    assert legs(paid) == [("D", "2110", ACCOUNT, 1_835), ("C", "1250", ACCOUNT, 1_835)]
    assert story.sums()[("1250", ACCOUNT)] == 0


def test_a_cheque_goes_to_the_bank_and_its_return_takes_it_from_there() -> None:
    story = given(bill())
    (posted,) = story.tell(
        CheckPosted(
            account_id=ACCOUNT, payment_id="pay_3_1", reference="REF", invoice_id="inv_3_1", bank_account="trust-1",
            bank_reference="LBX-7", amount_minor=18_165, currency="USD", received_on="2026-02-11",
        )
    )  # fmt: skip
    story.tell(allocated(), unpaid(part()))
    (returned,) = story.tell(
        PaymentReturned(
            account_id=ACCOUNT, payment_id="pay_3_1", reference="REF", invoice_id="inv_3_1", bank_account="trust-1",
            line_ref="L-9", amount_minor=18_165, from_credit_minor=18_165, recovery_minor=0, currency="USD",
            returned_on="2026-02-16",
        )
    )  # fmt: skip
    assert legs(posted) == [("D", "1010", "trust-1", 18_165), ("C", "2110", ACCOUNT, 18_165)]
    assert legs(returned) == [("D", "2110", ACCOUNT, 18_165), ("C", "1010", "trust-1", 18_165)]
    assert isinstance(posted, EntryPosted)
    assert isinstance(returned, EntryPosted)
    assert (posted.rule, posted.effective_date, posted.reference) == ("PR-05x", "2026-02-11", "LBX-7")
    assert (returned.rule, returned.effective_date, returned.reference) == ("PR-08", "2026-02-16", "L-9")


def test_a_transfer_goes_by_transit_and_comes_back_as_a_reversal() -> None:
    story = paid_200()
    same: dict[str, Any] = {"account_id": ACCOUNT, "transfer_id": "trf_3_1", "amount_minor": 1_835, "currency": "USD"}
    source = Source(fund_id="pay_3_1", amount_minor=1_835)
    (sent,) = story.tell(TransferSent(**same, routed_to="acc_b", reason="same_family", sources=(source,)))
    (back,) = story.tell(TransferReturned(**same, reason=Refusal.ACCOUNT_UNKNOWN))
    (received,) = given().tell(TransferReceived(**same, routed_to="acc_a"))
    assert legs(sent) == [("D", "2110", ACCOUNT, 1_835), ("C", "2140", "trf_3_1", 1_835)]
    assert legs(back) == [("D", "2140", "trf_3_1", 1_835), ("C", "2110", ACCOUNT, 1_835)]
    assert legs(received) == [("D", "2140", "trf_3_1", 1_835), ("C", "2110", ACCOUNT, 1_835)]
    assert isinstance(back, EntryPosted)
    assert back.reverses == entry(story, "PR-16a").entry_id


def test_a_refund_of_more_than_the_credit_is_posted_and_said() -> None:
    story = given(bill())
    events = story.tell(OPENED)
    assert [type(one) for one in events] == [EntryPosted, LimitBroken]


@pytest.mark.parametrize("shelves", [1, 40])
def test_an_entry_is_remembered_however_many_there_are(shelves: int) -> None:
    standing = Standing()
    for number in range(shelves * 32):
        standing = standing.put(f"PR-06 pay_{number}", (Left(f"ent_{number}", 5),))
    assert [taken_back(standing, f"PR-06 pay_{number}", 5) for number in (0, shelves * 32 - 1)] == [
        [(5, "ent_0")], [(5, f"ent_{shelves * 32 - 1}")],
    ]  # fmt: skip
    assert taken_back(standing, "PR-06 pay_none", 5) == [(5, None)]
