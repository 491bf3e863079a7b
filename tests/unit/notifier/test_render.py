"""Every notice exists and reads well in every language, and the figures in it are exact."""

import html
import re
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale

from services.billing.rails.declines import DeclineReason
from services.notifier.channels.render import LOCALES, SENTENCES, TEMPLATES, Texts, amount
from shared.contracts.billing import CaseRule
from shared.contracts.notifier import NoticeKind

KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
LANGUAGES = tuple(LOCALES)
TEXTS = Texts()
FACTS: dict[str, str | int] = {
    "amount_minor": 31_250,
    "currency": "USD",
    "reference": "REF-0C",
    "invoice": "INV-0B",
    "date": "2026-02-28",
    "reason": "insufficient_funds",
}
DAY = {"en": "February 28, 2026", "es": "28 de febrero de 2026"}
NOTHING_TAKEN = {"en": "Nothing was taken", "es": "No se cobró nada"}
NEXT = {"en": "What to do next", "es": "Qué debe hacer ahora"}
BILL = {"en": "Bill", "es": "Factura"}
OPEN_AGAIN = {"en": "is open again", "es": "queda pendiente de nuevo"}
CREDIT = {"en": "credit on your account", "es": "saldo a favor en su cuenta"}
SORRY = {"en": "We are sorry", "es": "Le pedimos disculpas"}
REASONS = {
    "payment_declined": {reason.value for reason in DeclineReason},
    "payment_cancelled": {"hold_expired", "action_expired", "processor_timeout", "cancelled_at_processor", "other"},
    "duplicate_found": {*get_args(CaseRule), "other"},
}


def bodies(kind: str, language: str, **facts: str | int) -> tuple[str, str]:
    """Return a notice's plain text, its lines joined, and its HTML."""
    text = TEXTS.render(kind, language, "Zoë", {**FACTS, **facts})
    return " ".join(text.plain.split()), text.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_has_its_template_and_no_other_lies_about(language: str) -> None:
    assert {file.stem for file in (TEMPLATES / language).glob("*.j2")} == {*KINDS, "frame"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_notice_says_amount_reference_bill_date_and_what_to_do_next(kind: str, language: str) -> None:
    text = TEXTS.render(kind, language, "Zoë", FACTS)
    assert text.language == language
    for body in (text.plain, text.html):
        for word in ("$312.50", "REF-0C", "INV-0B", DAY[language], NEXT[language], "Zoë"):
            assert word in body
    assert "$312.50" in text.subject
    assert "REF-0C" in text.subject
    assert "\n" not in text.subject


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_plain_text_and_html_say_the_same(kind: str, language: str) -> None:
    plain, page = bodies(kind, language)
    shown = html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<body")[2].partition(">")[2]))
    assert re.sub(r"\s+:", ":", " ".join(shown.split())).endswith(plain)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_notice_without_a_bill_names_none(kind: str, language: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != "invoice"}
    text = TEXTS.render(kind, language, "Zoë", facts)
    assert f"  {BILL[language]} " not in text.plain
    assert f">{BILL[language]}<" not in text.html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_without_a_bill_says_that_the_money_is_credit(language: str) -> None:
    without = TEXTS.render("payment_receipt", language, "Zoë", {**FACTS, "invoice": ""})
    assert CREDIT[language] in " ".join(without.plain.split())
    assert CREDIT[language] not in bodies("payment_receipt", language)[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["payment_declined", "payment_cancelled"])
def test_a_payment_that_did_not_happen_says_plainly_that_nothing_was_taken(kind: str, language: str) -> None:
    for body in bodies(kind, language):
        assert NOTHING_TAKEN[language] in body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["payment_returned", "chargeback_lost"])
def test_money_that_was_taken_back_says_what_is_open_and_what_is_owed(kind: str, language: str) -> None:
    for with_debt, without in zip(bodies(kind, language, owed_minor=1_234), bodies(kind, language), strict=True):
        assert OPEN_AGAIN[language] in without
        assert "$12.34" in with_debt
        assert "$12.34" not in without


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["duplicate_found", "duplicate_credit", "duplicate_dismissed", "refund_bounced"])
def test_money_that_stays_with_us_is_said_to_be_credit(kind: str, language: str) -> None:
    for body in bodies(kind, language):
        assert CREDIT[language] in body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("rule", "sorry"), [("charged_twice", True), ("late_success", True), ("paid_twice", False)])
def test_who_was_charged_by_mistake_gets_an_apology(rule: str, sorry: bool, language: str) -> None:
    for body in bodies("duplicate_found", language, reason=rule):
        assert (SORRY[language] in body) is sorry


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", REASONS)
def test_every_reason_has_a_sentence_that_is_told(kind: str, language: str) -> None:
    sentences = TEXTS.reasons(kind, language)
    assert set(sentences) == REASONS[kind]
    for reason, sentence in sentences.items():
        plain, page = bodies(kind, language, reason=reason)
        assert sentence in plain
        assert sentence in html.unescape(page)


@pytest.mark.parametrize("kind", SENTENCES)
def test_an_unknown_reason_is_told_without_its_word(kind: str) -> None:
    plain, page = bodies(kind, "en", reason="x_y")
    assert "x_y" not in plain + page
    assert TEXTS.reasons(kind, "en")[SENTENCES[kind][1]] in plain


@pytest.mark.parametrize(("language", "spoken"), [("es-MX", "es"), ("ES_us", "es"), ("fr", "en"), ("", "en")])
def test_a_language_we_do_not_write_is_answered_in_the_nearest_one(language: str, spoken: str) -> None:
    assert TEXTS.render("payment_receipt", language, "Zoe", FACTS).language == spoken


def test_a_name_cannot_become_markup() -> None:
    text = TEXTS.render("payment_receipt", "en", "<b>Zoe</b>\r\nx", FACTS)
    assert "<b>" not in text.html
    assert "<b>Zoe</b> x" in text.plain


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (1, "USD", "$0.01"),
        (123_456_789, "USD", "$1,234,567.89"),
        (9_223_372_036_854_775_807, "USD", "$92,233,720,368,547,758.07"),
        (1_250, "JPY", "¥1,250"),
    ],
)
def test_an_amount_is_exact_in_its_currencys_decimals(minor: int, currency: str, shown: str) -> None:
    assert amount(minor, currency, Locale("en", "US")) == shown


def test_no_template_calculates() -> None:
    operators = re.compile(r"{[{%][^}%]*(?:[*/]|\d\s*[-+]|round|float|int\b|minor)")
    for file in Path(TEMPLATES).rglob("*.j2"):
        assert not operators.search(file.read_text(encoding="utf-8")), file
