"""Every notice exists and reads well in every language, and the figures in it are exact."""

import re
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale

from services.billing.rails.declines import DeclineReason
from services.notifier.channels.render import LOCALES, TEMPLATES, Texts, amount
from shared.contracts.notifier import NoticeKind

KINDS = get_args(NoticeKind)
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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_notice_has_all_its_templates(kind: str, language: str) -> None:
    for part in ("subject", "txt", "html"):
        assert (TEMPLATES / language / f"{kind}.{part}.j2").is_file()


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
def test_a_decline_says_plainly_that_nothing_was_taken_and_why(language: str) -> None:
    text = TEXTS.render("payment_declined", language, "Zoë", FACTS)
    for body in (text.plain, text.html):
        assert NOTHING_TAKEN[language] in body
        assert TEXTS.reasons(language)["insufficient_funds"] in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_decline_has_a_sentence(language: str) -> None:
    assert set(TEXTS.reasons(language)) == {reason.value for reason in DeclineReason}


def test_an_unknown_reason_is_told_without_its_word() -> None:
    text = TEXTS.render("payment_declined", "en", "Zoe", {**FACTS, "reason": "x_y"})
    assert "x_y" not in text.plain + text.html
    assert TEXTS.reasons("en")["generic_decline"] in text.plain


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
