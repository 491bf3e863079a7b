"""Turns a notice's facts into words: Jinja2 templates per language, Babel for amounts and dates."""

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
ANY_REASON = "generic_decline"


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
            language: tomllib.loads((folder / language / "decline_reasons.toml").read_text(encoding="utf-8"))
            for language in LOCALES
        }

    def render(self, kind: str, language: str, name: str, facts: Mapping[str, str | int]) -> Text:
        """Return a notice in the member's language, or in English where we do not write theirs (`es-MX` is `es`).

        `facts` are `NoticePlanned.facts`; `name` is the member's.
        """
        spoken = _spoken(language)
        values = self._values(spoken, name, facts)
        subject, plain, html = (
            self._environment.get_template(f"{spoken}/{kind}.{part}.j2").render(values)
            for part in ("subject", "txt", "html")
        )
        return Text(spoken, " ".join(subject.split()), plain, html)

    def reasons(self, language: str) -> Mapping[str, str]:
        """Return the sentences by reason of a decline."""
        return dict(self._reasons[language])

    def _values(self, language: str, name: str, facts: Mapping[str, str | int]) -> dict[str, str]:
        locale = LOCALES[language]
        reasons = self._reasons[language]
        return {
            "language": language,
            "name": " ".join(name.split()),
            "amount": amount(int(facts["amount_minor"]), str(facts["currency"]), locale),
            "reference": str(facts["reference"]),
            "invoice": str(facts["invoice"]),
            "date": format_date(date.fromisoformat(str(facts["date"])), format="long", locale=locale),
            "reason": str(reasons.get(str(facts.get("reason", "")), reasons[ANY_REASON])),
        }


def amount(minor: int, currency: str, locale: Locale) -> str:
    """Return an amount as people write it; exact, whatever the currency's number of decimals."""
    return format_currency(Decimal(minor).scaleb(-get_currency_precision(currency)), currency, locale=locale)


def _spoken(language: str) -> str:
    primary = language.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LOCALES else FALLBACK
