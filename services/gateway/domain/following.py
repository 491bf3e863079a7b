"""How far a caller has followed stories: a place per account and source, written as the id of an event.

The places are kept per account, because an account may wait behind a parked record while others of its shard go on.
"""

import re
from collections.abc import Iterable, Mapping

SOURCES = ("billing", "ledger", "notifier")
MOST_FOLLOWED = 50
_PREFIX = "acc_"
_PLACE = r"(0|[1-9]\d{0,17})"
_ONE = re.compile(rf"([0-9a-hjkmnp-tv-z]{{23}})\.{_PLACE}\.{_PLACE}\.{_PLACE}", re.ASCII)

Mark = tuple[int, ...]
"""The last position that was told, per source in the order of SOURCES; 0 is none."""
Marks = Mapping[str, Mark]
"""By account."""
BEGINNING: Mark = (0,) * len(SOURCES)


def marks_text(marks: Marks) -> str:
    """Return marks as callers get them: opaque to them, the same for the same marks."""
    return ",".join(
        f"{account.removeprefix(_PREFIX)}.{'.'.join(str(place) for place in mark)}"
        for account, mark in sorted(marks.items())
    )


def parse_marks(text: str) -> Marks | None:
    """Return the marks that `marks_text` wrote, None where it did not (1 to 50 accounts, each once)."""
    found = [_ONE.fullmatch(part) for part in text.split(",", MOST_FOLLOWED)]
    marks = {_PREFIX + match[1]: tuple(int(place) for place in match.groups()[1:]) for match in found if match}
    return marks if 0 < len(marks) == len(found) <= MOST_FOLLOWED else None


def told(marks: Marks, account: str, source: str, position: int) -> Marks:
    """Return the marks after a fact of one of their accounts was told; a mark never goes back."""
    place = SOURCES.index(source)
    mark = marks[account]
    further = max(position, mark[place])
    return {**marks, account: (*mark[:place], further, *mark[place + 1 :])}


def marks_at(accounts: Iterable[str], ends: Iterable[tuple[str, str, int]]) -> Marks:
    """Return the marks of accounts whose stories end at these places (account, source, position)."""
    marks: Marks = dict.fromkeys(accounts, BEGINNING)
    for account, source, position in ends:
        marks = told(marks, account, source, position)
    return marks
