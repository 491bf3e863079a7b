"""What callers may ask for, checked: ids, codes, days, cursors; a wrong one raises the Problem that names it."""

from collections.abc import Sequence
from datetime import date

from services.ledger.domain.chart import CHART
from services.ledger.http.operations import MOST_ITEMS
from shared.contracts.ledger import AccountCode
from shared.http.call import Call
from shared.http.paging import whole_number
from shared.http.problems import Problem
from shared.postgres.binary import int4

MOST_TEXT = 200
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


def text_of(call: Call, name: str) -> str | None:
    """Return a parameter that is an id or a sub-key."""
    text = call.query.get(name)
    if text is not None and not (text and len(text) <= MOST_TEXT and text.isprintable()):
        raise Problem("parameter_invalid", name)
    return text


def code_of(call: Call) -> AccountCode | None:
    """Return the account code; `sub_key` makes sense only beside one."""
    code = call.query.get("code")
    if code is None:
        if "sub_key" in call.query:
            raise Problem("filter_missing", "code")
        return None
    if code not in CHART:
        raise Problem("parameter_invalid", "code")
    return code


def day_of(call: Call, name: str) -> date | None:
    """Return a civil day, written `2026-03-31`."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Problem("parameter_invalid", name) from error
    if text != day.isoformat() or not FIRST_DAY <= day <= LAST_DAY:
        raise Problem("parameter_invalid", name)
    return day


def days_of(call: Call) -> tuple[date, date]:
    """Return from when to when entries are effective; the calendar's ends where it is not said."""
    return day_of(call, "effective_from") or FIRST_DAY, day_of(call, "effective_to") or LAST_DAY


def place_of(parts: Sequence[str]) -> tuple[date, int, int]:
    """Return day, shard and position of a cursor of these three."""
    try:
        return date.fromisoformat(parts[0]), whole_number(parts[1]), whole_number(parts[2])
    except ValueError as error:
        raise Problem("cursor_invalid", "cursor") from error


def thing_parts(thing_id: str) -> tuple[str, int, str]:
    """Return prefix, shard and rest of the id of a thing inside a household; shard -1 where it is none."""
    prefix, _, rest = thing_id.partition("_")
    shard, _, name = rest.partition("_")
    return prefix, int(shard) if shard.isascii() and shard.isdigit() and len(shard) < 6 else -1, name


def currency_of(call: Call) -> str:
    """Return the currency of a house-wide account."""
    currency = call.query.get("currency", "USD")
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise Problem("parameter_invalid", "currency")
    return currency


def limit_of(call: Call) -> int:
    """Return how many items a page may have."""
    return call.limit(most=MOST_ITEMS)


def exclude(call: Call, name: str, *others: str) -> None:
    """Refuse parameters that cannot go beside one that is there."""
    for other in others:
        if name in call.query and other in call.query:
            raise Problem("filter_excluded", other)


_EPOCH = date(2000, 1, 1)


def day_bytes(day: date) -> bytes:
    """Return PostgreSQL's bytes of a date."""
    return int4((day - _EPOCH).days)
