"""Turns a notice's facts into words: Jinja2 templates per language, Babel for amounts and dates.

A language has a template per kind of notice, which sets the parts in `OWN`, and `frame.j2` with what all of them share.
`mail.txt.j2` and `mail.html.j2` put them together, so both say the same.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
LOCALES: Mapping[str, Locale] = {"en": Locale("en", "US"), "es": Locale("es", "US")}
FALLBACK = "en"
OWN = ("subject", "heading", "happened", "money", "next")
OPTIONAL = ("why", "help")
SENTENCES: Mapping[str, tuple[str, str]] = {
    "payment_declined": ("decline_reasons", "generic_decline"),
    "payment_cancelled": ("cancel_reasons", "other"),
    "duplicate_found": ("duplicate_rules", "other"),
    "refund_cancelled": ("refund_reasons", "other"),
}
"""Where a kind finds the sentence for its `reason`, and the word that stands for any other."""


@dataclass(frozen=True)
class Text:
    """A notice in words; `language` is the one it is really in."""

    language: str
    subject: str
    plain: str
    html: str


class Texts:
    """All templates; a missing variable raises, so a gap is found by the test that renders every one."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=lambda name: name is not None and name.endswith(".html.j2"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self._reasons = {
            (kind, language): tomllib.loads((folder / language / f"{file}.toml").read_text(encoding="utf-8"))
            for kind, (file, _) in SENTENCES.items()
            for language in LOCALES
        }

    def render(self, kind: str, language: str, name: str, facts: Mapping[str, str | int]) -> Text:
        """Return a notice in the member's language, or in English where we do not write theirs (`es-MX` is `es`).

        `facts` are `NoticePlanned.facts`; `name` is the member's.
        """
        spoken = _spoken(language)
        values = self._values(kind, spoken, name, facts)
        frame = vars(self._environment.get_template(f"{spoken}/frame.j2").make_module(values))
        own = vars(self._environment.get_template(f"{spoken}/{kind}.j2").make_module(values))
        words = {part: _line(own[part]) for part in OWN} | {"why": "", "help": frame["help"]}
        words |= {part: _line(own[part]) for part in OPTIONAL if part in own}
        shared = {part: frame[part] for part in ("greeting", "rows", "why_label", "next_label")}
        plain, html = (
            self._environment.get_template(f"mail.{part}.j2").render(language=spoken, **shared, **words)
            for part in ("txt", "html")
        )
        return Text(spoken, words["subject"], plain, html)

    def reasons(self, kind: str, language: str) -> Mapping[str, str]:
        """Return the sentences by reason of a kind that has reasons."""
        return dict(self._reasons[kind, language])

    def _values(self, kind: str, language: str, name: str, facts: Mapping[str, str | int]) -> dict[str, str]:
        """Return what templates may name; "" for what this notice does not have."""
        locale, currency = LOCALES[language], str(facts["currency"])
        owed_minor = int(facts.get("owed_minor", 0))
        return {
            "name": _line(name),
            "amount": amount(int(facts["amount_minor"]), currency, locale),
            "reference": str(facts["reference"]),
            "invoice": str(facts.get("invoice", "")),
            "date": format_date(date.fromisoformat(str(facts["date"])), format="long", locale=locale),
            "reason": self._sentence(kind, language, str(facts.get("reason", ""))),
            "owed": amount(owed_minor, currency, locale) if owed_minor else "",
        }

    def _sentence(self, kind: str, language: str, reason: str) -> str:
        if kind not in SENTENCES:
            return ""
        sentences = self._reasons[kind, language]
        return str(sentences.get(reason, sentences[SENTENCES[kind][1]]))


def amount(minor: int, currency: str, locale: Locale) -> str:
    """Return an amount as people write it; exact, whatever the currency's number of decimals."""
    return format_currency(Decimal(minor).scaleb(-get_currency_precision(currency)), currency, locale=locale)


def _line(text: str) -> str:
    return " ".join(text.split())


def _spoken(language: str) -> str:
    primary = language.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LOCALES else FALLBACK
