"""What happens where billing decided more than the accounts allow (I-05)."""

from shared.contracts.event import Event, PremiumLine
from shared.contracts.ledger import EntryPosted, LimitBroken
from tests.unit.ledger.story import ACCOUNT, MONTH, POLICY, allocated, bill, declined, given, legs, registered, settled

OWED = f"{ACCOUNT}/{POLICY}/{MONTH}"


def broken(event: Event) -> tuple[str, str, int]:
    assert isinstance(event, LimitBroken)
    return event.code, event.sub_key, event.overflow_minor


def test_credit_overdrawn_by_an_allocation_goes_to_recovery() -> None:
    entry, limit = given(bill(), registered(18000), settled(18000)).tell(allocated())

    assert legs(entry) == [
        ("D", "2110", ACCOUNT, 18000),
        ("D", "1250", ACCOUNT, 165),
        ("D", "2210", f"{POLICY}/{MONTH}", 18165),
        ("C", "1210", OWED, 18165),
        ("C", "2220", POLICY, 18165),
    ]
    assert broken(limit) == ("2110", ACCOUNT, 165)


def test_an_allocation_above_what_is_owed_goes_to_suspense() -> None:
    entry, limit = given(bill(), registered(20000), settled(20000)).tell(allocated((POLICY, MONTH, 20000)))

    assert isinstance(entry, EntryPosted)
    assert ("C", "1210", OWED, 18165) in legs(entry)
    assert ("C", "1290", entry.entry_id, 1835) in legs(entry)
    assert broken(limit) == ("1210", OWED, 1835)


def test_an_allocation_to_a_month_never_billed_goes_to_suspense_whole() -> None:
    entry, limit = given(registered(), settled()).tell(allocated())

    assert isinstance(entry, EntryPosted)
    assert ("C", "1290", entry.entry_id, 18165) in legs(entry)
    assert broken(limit) == ("1210", OWED, 18165)


def test_a_decline_with_nothing_pending_says_so_and_moves_no_limited_account() -> None:
    story = given(bill(), registered(), settled())
    entry, pending, transit = story.tell(declined())

    assert isinstance(entry, EntryPosted)
    assert {one.code for one in entry.postings} == {"1290"}
    assert [broken(pending)[0], broken(transit)[0]] == ["2310", "1120"]


def test_subsidies_above_the_gross_are_no_negative_receivable() -> None:
    over = PremiumLine(policy_id=POLICY, coverage_month=MONTH, gross_minor=100, aptc_minor=130)
    entry, limit = given().tell(bill(over))

    assert isinstance(entry, EntryPosted)
    assert legs(entry) == [
        ("C", "1290", entry.entry_id, 30),
        ("D", "1220", f"{POLICY}/{MONTH}", 130),
        ("C", "2210", f"{POLICY}/{MONTH}", 100),
    ]
    assert broken(limit) == ("1210", OWED, 30)


def test_a_second_step_sees_what_the_first_took() -> None:
    story = given(bill(), registered(18165), settled(18165))
    events = story.tell(allocated((POLICY, MONTH, 18165), (POLICY, MONTH, 1)))

    assert [event.TYPE for event in events] == [
        "ledger.entry-posted.v1",
        "ledger.entry-posted.v1",
        "ledger.limit-broken.v1",
        "ledger.limit-broken.v1",
    ]
    assert [broken(event)[0] for event in events[2:]] == ["2110", "1210"]
