"""Rules of a body's fields that no type can say."""

import re
from collections.abc import Iterable
from datetime import date
from urllib.parse import urlsplit

from shared.contracts.event import PolicyMonth, PremiumLine
from shared.money import MAX_MINOR

ACCOUNT_ID = re.compile(r"^acc_[0-9a-hjkmnp-tv-z]{23}$")
THING_ID = re.compile(r"^(inv|pay|case|rfd|trf|mrg|stm|jnl|rev|req)_(0|[1-9]\d{0,5})_[0-9a-hjkmnp-tv-z]{23}$")
EMAIL = re.compile(r"^[^@\s\x00-\x1f\x7f<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$", re.ASCII)
_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$", re.ASCII)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
FIRST_YEAR, LAST_YEAR = 2000, 2199


def is_day(text: str) -> bool:
    """Tell whether this is a day of the calendar, written `2026-03-31`."""
    if not _DAY.fullmatch(text):
        return False
    try:
        return FIRST_YEAR <= date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def is_month(text: str) -> bool:
    """Tell whether this is a month, written `2026-03`."""
    return bool(_MONTH.fullmatch(text)) and FIRST_YEAR <= int(text[:4]) <= LAST_YEAR


def wrong_line(lines: Iterable[PremiumLine]) -> tuple[int, str, str] | None:
    """Return number, field and code of the first line that breaks a rule; the sum of all is bounded too."""
    seen: set[tuple[str, str]] = set()
    total = 0
    for number, line in enumerate(lines):
        if not is_month(line.coverage_month):
            return number, "coverage_month", "month_invalid"
        if line.member_minor < 0:
            return number, "gross_minor", "subsidies_exceed_gross"
        if (line.policy_id, line.coverage_month) in seen:
            return number, "policy_id", "line_repeated"
        seen.add((line.policy_id, line.coverage_month))
        total += line.gross_minor
        if total > MAX_MINOR:
            return number, "gross_minor", "amount_too_large"
    return None


def wrong_month(lines: Iterable[PolicyMonth]) -> tuple[int, str, str] | None:
    """Return number, field and code of the first line whose month is none or that stands twice."""
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines):
        if not is_month(line.coverage_month):
            return number, "coverage_month", "month_invalid"
        if (line.policy_id, line.coverage_month) in seen:
            return number, "policy_id", "line_repeated"
        seen.add((line.policy_id, line.coverage_month))
    return None


def is_return_url(text: str) -> bool:
    """Tell whether a browser may be sent there: https anywhere, http only on the machine that it runs on."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
