"""Which notices the notifier plans, and that each is planned, sent and closed once."""

from typing import Any, get_args

import pytest
from msgspec import structs

from services.notifier.channels.render import Texts
from services.notifier.domain.notices import NoContact
from shared.contracts.billing import AccountOpened
from shared.contracts.event import Event
from shared.contracts.notifier import ContactNoted, InvoiceNoted, NoticeEnded, NoticeKind, NoticePlanned, NoticeSent
from tests.unit.notifier.story import (
    ACCOUNT,
    AT,
    BOUNCED,
    CANCELLED,
    CANCELLED_REFUND,
    CASE,
    CHECK,
    DECIDED,
    DECLINED,
    GIVEN,
    ISSUED,
    LOST,
    NOTHING,
    OPENED,
    REFUNDED,
    RETURNED,
    SETTLED,
    Story,
    context,
    rejected,
    sent,
)

HOUSEHOLD = GIVEN.after(OPENED, ISSUED)
PAID = HOUSEHOLD.after(SETTLED)
TODAY = "2026-03-01"
TOLD = [
    (SETTLED, "payment_receipt", "2026-02-28"),
    (DECLINED, "payment_declined", TODAY),
    (CANCELLED, "payment_cancelled", TODAY),
    (CHECK, "payment_receipt", "2026-02-27"),
    (RETURNED, "payment_returned", "2026-02-26"),
    (CASE, "duplicate_found", TODAY),
    (structs.replace(DECIDED, outcome="refund"), "duplicate_refund", TODAY),
    (structs.replace(DECIDED, outcome="credit"), "duplicate_credit", TODAY),
    (structs.replace(DECIDED, outcome="not_a_duplicate"), "duplicate_dismissed", TODAY),
    (REFUNDED, "refund_completed", TODAY),
    (BOUNCED, "refund_bounced", "2026-02-25"),
    (CANCELLED_REFUND, "refund_cancelled", TODAY),
    (LOST, "chargeback_lost", TODAY),
]
"""What is told of, by which kind of notice, and the day that it names."""
WITHOUT_BILL = {"refund_completed", "refund_bounced", "refund_cancelled", "chargeback_lost"}


def planned(events: tuple[Event, ...]) -> NoticePlanned:
    (event,) = events
    assert isinstance(event, NoticePlanned)
    return event


def notice_of(story: Story) -> str:
    return planned(story.events[-1:]).notice_id


def test_an_opened_account_gives_the_contact() -> None:
    assert GIVEN.when(OPENED) == (
        ContactNoted(account_id=ACCOUNT, member_id="mem_1", language="es", email_version=2, name_version=1),
    )


def test_a_second_opening_changes_nothing() -> None:
    assert GIVEN.after(OPENED).when(OPENED) == NOTHING


def test_a_contact_without_an_address_is_noted_as_version_zero() -> None:
    (noted,) = GIVEN.when(AccountOpened(account_id=ACCOUNT, member_id="mem_1", language="en", contact=()))
    assert isinstance(noted, ContactNoted)
    assert (noted.email_version, noted.name_version) == (0, 0)


def test_an_issued_bill_gives_the_number_that_notices_use() -> None:
    story = GIVEN.after(OPENED)
    assert story.when(ISSUED) == (InvoiceNoted(account_id=ACCOUNT, invoice_id="inv_3_0b", number="INV-0B"),)
    assert HOUSEHOLD.when(ISSUED) == NOTHING


def test_a_settled_payment_plans_a_receipt_in_the_members_language() -> None:
    receipt = planned(HOUSEHOLD.when(SETTLED))
    assert (receipt.kind, receipt.channel, receipt.language) == ("payment_receipt", "mail", "es")
    assert (receipt.member_id, receipt.email_version, receipt.name_version) == ("mem_1", 2, 1)
    assert receipt.facts == {
        "amount_minor": 31_250,
        "currency": "USD",
        "reference": "REF-0C",
        "invoice": "INV-0B",
        "date": "2026-02-28",
    }


def test_a_declined_payment_plans_a_notice_with_its_reason_and_the_day_of_the_decline() -> None:
    notice = planned(HOUSEHOLD.when(DECLINED))
    assert notice.kind == "payment_declined"
    assert notice.facts["reason"] == "insufficient_funds"
    assert notice.facts["date"] == "2026-03-01"


@pytest.mark.parametrize(("fact", "kind", "day"), TOLD)
def test_what_becomes_of_the_money_is_told_by_one_notice(fact: Any, kind: str, day: str) -> None:
    notice = planned(HOUSEHOLD.when(fact))
    facts = notice.facts
    assert (notice.kind, facts["date"], facts["amount_minor"], facts["currency"]) == (kind, day, 31_250, "USD")
    assert facts["reference"] == fact.reference
    assert facts.get("invoice") == (None if kind in WITHOUT_BILL else "INV-0B")
    assert HOUSEHOLD.after(fact).when(fact, position=HOUSEHOLD.told + 1) == NOTHING


@pytest.mark.parametrize(("fact", "kind", "day"), TOLD)
def test_every_notice_can_be_written_from_its_facts(fact: Any, kind: str, day: str) -> None:
    assert Texts().render(kind, "es", "Zoë", planned(HOUSEHOLD.when(fact)).facts).subject


def test_every_kind_of_notice_is_planned() -> None:
    assert {kind for _, kind, _ in TOLD} == set(get_args(NoticeKind))


@pytest.mark.parametrize("reason", ["cancelled_by_member", "charge_found"])
def test_a_cancellation_that_the_member_chose_or_a_case_tells_of_is_not_told(reason: str) -> None:
    assert HOUSEHOLD.when(structs.replace(CANCELLED, reason=reason)) == NOTHING


def test_a_cancellation_is_told_with_its_reason() -> None:
    assert planned(HOUSEHOLD.when(CANCELLED)).facts["reason"] == "hold_expired"


def test_a_case_is_told_with_its_rule() -> None:
    assert planned(HOUSEHOLD.when(CASE)).facts["reason"] == "charged_twice"


def test_a_case_that_ended_by_itself_is_not_told() -> None:
    assert HOUSEHOLD.when(structs.replace(DECIDED, outcome="withdrawn")) == NOTHING


def test_what_the_member_owes_is_told_where_there_is_such() -> None:
    assert planned(HOUSEHOLD.when(RETURNED)).facts["owed_minor"] == 1_250
    assert planned(HOUSEHOLD.when(structs.replace(LOST, recovery_minor=70))).facts["owed_minor"] == 70
    assert "owed_minor" not in planned(HOUSEHOLD.when(LOST)).facts


@pytest.mark.parametrize("fact", [CHECK, RETURNED, CASE, DECIDED])
def test_money_without_a_bill_is_told_without_one(fact: Any) -> None:
    notice = planned(HOUSEHOLD.when(structs.replace(fact, invoice_id=None)))
    assert "invoice" not in notice.facts
    assert Texts().render(notice.kind, "en", "Zoë", notice.facts).plain


def test_a_notice_names_its_cause() -> None:
    assert planned(HOUSEHOLD.when(SETTLED)).cause == context(HOUSEHOLD.told + 1).cause.event_id


def test_a_notice_holds_no_personal_data() -> None:
    receipt = planned(HOUSEHOLD.when(SETTLED))
    assert not {"name", "email"} & set(receipt.facts)


def test_a_repeated_cause_plans_nothing() -> None:
    assert PAID.when(SETTLED, position=PAID.told) == NOTHING


def test_two_causes_plan_two_notices() -> None:
    assert planned(PAID.when(SETTLED)).notice_id != notice_of(PAID)


def test_one_cause_gives_different_notices_for_different_kinds() -> None:
    at = HOUSEHOLD.told + 1
    receipt, decline = planned(HOUSEHOLD.when(SETTLED, at)), planned(HOUSEHOLD.when(DECLINED, at))
    assert receipt.notice_id != decline.notice_id


def test_a_notices_id_begins_with_its_shard() -> None:
    assert notice_of(PAID).startswith("ntc_3_")


@pytest.mark.parametrize(("fact", "kind", "day"), TOLD)
def test_money_before_the_accounts_opening_is_our_fault(fact: Any, kind: str, day: str) -> None:
    with pytest.raises(NoContact, match=ACCOUNT):
        GIVEN.when(fact)


def test_a_bill_that_was_never_noted_is_named_by_its_id() -> None:
    assert planned(GIVEN.after(OPENED).when(SETTLED)).facts["invoice"] == "inv_3_0b"


def test_a_delivery_closes_its_notice() -> None:
    notice_id = notice_of(PAID)
    assert PAID.when(sent(notice_id)) == (
        NoticeSent(account_id=ACCOUNT, notice_id=notice_id, message_id=f"<{notice_id}@x.invalid>", sent_at=AT),
    )


def test_a_refused_delivery_ends_its_notice() -> None:
    notice_id = notice_of(PAID)
    assert PAID.when(rejected(notice_id)) == (NoticeEnded(account_id=ACCOUNT, notice_id=notice_id, reason="rejected"),)


def test_an_outcome_of_a_closed_notice_adds_nothing() -> None:
    notice_id = notice_of(PAID)
    for closed in (PAID.after(sent(notice_id)), PAID.after(rejected(notice_id))):
        assert closed.when(sent(notice_id)) == NOTHING
        assert closed.when(rejected(notice_id)) == NOTHING


def test_an_outcome_of_a_notice_that_was_never_planned_adds_nothing() -> None:
    assert HOUSEHOLD.when(sent("ntc_3_00")) == NOTHING
