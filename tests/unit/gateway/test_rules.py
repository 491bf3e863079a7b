"""Small rules: statuses, positions, rates, settings."""

from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.changes import TransferStatus, request_status, transfer_status
from services.gateway.domain.fields import ACCOUNT_ID, EMAIL, THING_ID, is_day, is_month, is_return_url, wrong_month
from services.gateway.domain.payment import (
    FINAL,
    InvoiceStatus,
    PaymentStatus,
    account_status,
    invoice_status,
    payment_status,
)
from services.gateway.http.bodies.parsing import canonical
from shared.contracts.event import PolicyMonth
from shared.http.buckets import Buckets
from shared.http.positions import Place, parse_places, places_text
from shared.ids import canonical_json
from tests.gateway_kit import settings


def test_a_payment_is_accepted_until_billing_speaks() -> None:
    assert payment_status(None, ledger_posted=False) is PaymentStatus.ACCEPTED
    assert payment_status(None, ledger_posted=True) is PaymentStatus.ACCEPTED


@pytest.mark.parametrize(("billing", "posted"), list(product(PaymentStatus, (True, False))))
def test_settled_is_said_only_when_billing_settled_and_the_ledger_posted(billing: PaymentStatus, posted: bool) -> None:
    status = payment_status(billing, posted)
    assert (status is PaymentStatus.SETTLED) == (billing is PaymentStatus.SETTLED and posted)
    if billing is not PaymentStatus.SETTLED:
        assert status is billing


def test_what_is_final() -> None:
    assert {status.value for status in FINAL} == {"refused", "settled", "declined", "cancelled", "reversed"}


@pytest.mark.parametrize(
    ("total", "paid", "refused", "void", "status"),
    [
        (None, 0, False, False, "accepted"), (None, 0, True, False, "refused"), (100, 0, False, False, "open"),
        (100, 99, True, False, "open"), (100, 100, False, False, "paid"), (0, 0, False, False, "paid"),
        (0, 0, False, True, "void"),
    ],
)  # fmt: skip
def test_an_invoices_status(total: int | None, paid: int, refused: bool, void: bool, status: str) -> None:
    assert invoice_status(total, paid, refused, void) is InvoiceStatus(status)


def test_an_open_account_stays_open_until_it_moves() -> None:
    rows = ((False, False, False), (False, True, False), (True, True, False), (True, False, True))
    assert [account_status(*row).value for row in rows] == ["accepted", "refused", "open", "moved"]


def test_a_request_that_was_done_was_not_refused() -> None:
    assert [request_status(*row).value for row in ((False, False), (True, False), (False, True))] == [
        "accepted", "done", "refused",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://portal.example.org/done?x=1", True), ("http://localhost:8080/done", True),
        ("http://127.0.0.1/", True), ("http://[::1]:3000/", True), ("HTTPS://portal.example.org", True),
        ("http://portal.example.org/", False), ("http://localhost.example.org/", False), ("https://", False),
        ("https:///done", False), ("https://user@example.org/", False), ("https://example.org:99999/", False),
        ("https://example.org/a b", False), ("https://ex\u00e4mple.org/", False), ("https://example.org/\n", False),
        ("javascript:alert(1)", False), ("//example.org/", False), ("/done", False), ("", False),
        ("https://example.org\\@evil.example.org/", False), ("https://[::1", False),
    ],
)  # fmt: skip
def test_a_browser_is_sent_back_by_https_or_to_its_own_machine(url: str, good: bool) -> None:
    assert is_return_url(url) is good


def test_a_line_is_named_once_and_by_a_month() -> None:
    def lines(*months: str) -> list[PolicyMonth]:
        return [PolicyMonth(policy_id="P", coverage_month=month) for month in months]

    assert wrong_month(lines("2027-01", "2027-02")) is None
    assert wrong_month(lines("2027-01", "2027-01")) == (1, "policy_id", "line_repeated")
    assert wrong_month(lines("2027-01", "1999-01")) == (1, "coverage_month", "month_invalid")


def test_a_position_is_read_as_it_was_written() -> None:
    places = (Place("gateway", 3, 17), Place("billing", 3, 40))
    assert parse_places(places_text(places)) == places
    assert places_text([Place("ledger", 1, 0)]) == ""


@pytest.mark.parametrize("text", ["", "gateway", "gateway.1", "gateway.-1.1", "gateway.01.1", "x.1.1", "gateway.1.1,",
                                  "gateway.1." + "9" * 19, ",".join(["gateway.1.1"] * 65), "gateway.1.٣"])  # fmt: skip
def test_what_is_no_position_is_not_read(text: str) -> None:
    assert parse_places(text) is None


@given(name=st.text(min_size=1, max_size=40), minor=st.integers(1, 2**63 - 1))
def test_the_quick_canonical_form_is_the_canonical_form(name: str, minor: int) -> None:
    body = {"z": name, "amount": {"minor": minor, "currency": "USD"}, "lines": [{"b": name, "a": None}], "Z": True}
    assert canonical(msgspec.json.format(msgspec.json.encode(body))) == canonical_json(body)


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    buckets = Buckets(lambda: now[0])
    assert [buckets.take("p", 60) for _ in range(61)] == [0] * 60 + [1]
    assert buckets.take("other", 60) == 0
    now[0] = 2.0
    assert [buckets.take("p", 60) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(("text", "good"), [("2026-02-28", True), ("2028-02-29", True), ("2026-02-29", False),
                                            ("20260228", False), ("2026-2-28", False), ("9999-01-01", False),
                                            ("٢026-02-28", False), ("2026-W01-1", False)])  # fmt: skip
def test_a_day_is_one_of_the_calendar(text: str, good: bool) -> None:
    assert is_day(text) is good


def test_a_month_is_one_of_twelve() -> None:
    assert [is_month(text) for text in ("2026-01", "2026-12", "2026-13", "2026-00", "2026-1")] == [
        True, True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "secrets"), [("", ()), ("a", (b"a",)), ("a, b ,", (b"a", b"b"))])
def test_several_webhook_secrets_are_named_by_commas(text: str, secrets: tuple[bytes, ...]) -> None:
    changed: Any = {"card_webhook_secret": text}
    assert settings(**changed).webhook_secrets() == secrets


def test_nothing_may_stand_behind_a_field_not_even_a_line_break() -> None:
    account, thing = "acc_" + "0" * 23, "pay_3_" + "0" * 23
    assert ACCOUNT_ID.fullmatch(account)
    assert THING_ID.fullmatch(thing)
    assert EMAIL.fullmatch("ana@example.org")
    assert not any(
        (ACCOUNT_ID.fullmatch(account + "\n"), THING_ID.fullmatch(thing + "\n"), EMAIL.fullmatch("ana@example.org\n"))
    )
    assert not is_day("2026-01-01\n")
    assert not is_month("2026-01\n")


@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize("billing", [None, *TransferStatus])
def test_a_transfer_has_ended_only_when_the_ledger_has_posted_what_came_out(
    billing: TransferStatus | None, posted: bool
) -> None:
    status = transfer_status(billing, posted)
    if billing in (TransferStatus.COMPLETED, TransferStatus.RETURNED):
        assert status is (billing if posted else TransferStatus.UNDER_WAY)
    else:
        assert status is (billing or TransferStatus.ACCEPTED)
