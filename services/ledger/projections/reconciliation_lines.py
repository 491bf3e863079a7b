"""The two sides of 1125: what the books moved and what the processor's reports say, line by line and by reference.

A report's line counts with its net amount, which is what it moved in the processor's balance. Its reference is the
intent's, and its own where it has none (a payout, a fee).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from shared.contracts.ledger import EntryPosted, ReconciliationReported, ReportPartTaken, ReportTaken
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
BOOK, PROCESSOR = "book", "processor"


@dataclass(frozen=True)
class Line:
    """One line of either side; `minor` is above zero where the processor holds more for us."""

    shard: int
    position: int
    ordinal: int
    origin: str
    processor: str
    currency: str
    reference: str
    transaction_ref: str | None
    kind: str
    day: str
    minor: int

    def row(self) -> tuple[object, ...]:
        """Return the columns in the table's order."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


class ReconciliationLines:
    """Folds postings on 1125, report lines, report headers and reported days into `reconciliation_*`."""

    name = "ledger.reconciliation"
    version = 1
    tables: Sequence[str] = (
        "reconciliation_line",
        "reconciliation_book_day",
        "reconciliation_match",
        "reconciliation_report",
        "reconciliation_day",
    )

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add the batch's lines, then what they change, then headers and days."""
        lines: dict[tuple[int, int, int], Line] = {}
        for placed in facts:
            for line in _lines(placed):
                lines[line.shard, line.position, line.ordinal] = line
        if lines:
            self._add(cursor, lines)
        for placed in facts:
            match placed.fact.event:
                case ReportTaken() as header:
                    cursor.execute(_SQL["put_report"], _report(placed, header))
                case ReconciliationReported() as day:
                    cursor.execute(_SQL["put_day"], _day(placed, day))

    def _add(self, cursor: psycopg.Cursor[Any], lines: dict[tuple[int, int, int], Line]) -> None:
        cursor.execute(_SQL["add_lines"], _columns([line.row() for line in lines.values()]))
        new = [lines[place] for place in sorted(cursor.fetchall())]
        days: dict[tuple[int, str, str, str], int] = {}
        for line in new:
            if line.origin == BOOK:
                key = (line.shard, line.processor, line.currency, line.day)
                days[key] = days.get(key, 0) + line.minor
        if days:
            cursor.execute(_SQL["add_book_days"], _columns([(*key, days[key]) for key in sorted(days)]))
        if new:
            cursor.execute(_SQL["add_matches"], _columns(_matches(new)))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _lines(placed: Placed) -> Iterator[Line]:
    shard, position = placed.shard, placed.position
    match placed.fact.event:
        case EntryPosted() as entry:
            for ordinal, posting in enumerate(entry.postings):
                if posting.code == "1125":
                    minor = posting.amount_minor if posting.side == "D" else -posting.amount_minor
                    reference = entry.processor_ref or entry.entry_id
                    yield Line(shard, position, ordinal, BOOK, posting.sub_key, entry.currency, reference, None,
                               entry.rule, entry.effective_date, minor)  # fmt: skip
        case ReportPartTaken() as part:
            for ordinal, line in enumerate(part.lines):
                reference = line.intent_ref or line.transaction_ref
                yield Line(shard, position, ordinal, PROCESSOR, part.processor, line.currency, reference,
                           line.transaction_ref, line.kind, part.day, line.net_minor)  # fmt: skip


def _matches(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """Return both sides per reference, in the order of the key: two shards that meet never wait in a circle."""
    sides: dict[tuple[str, str, str], dict[str, tuple[int, int, str | None]]] = {}
    for line in lines:
        both = sides.setdefault((line.processor, line.currency, line.reference), {})
        count, minor, first = both.get(line.origin, (0, 0, None))
        both[line.origin] = (count + 1, minor + line.minor, min(first or line.day, line.day))
    nothing = (0, 0, None)
    return [(*key, *sides[key].get(BOOK, nothing), *sides[key].get(PROCESSOR, nothing)) for key in sorted(sides)]


def _report(placed: Placed, header: ReportTaken) -> tuple[object, ...]:
    return (
        header.processor,
        header.day,
        header.currency,
        placed.fact.envelope.tenant,
        header.opening_minor,
        header.closing_minor,
        header.lines,
        placed.shard,
        placed.position,
    )


def _day(placed: Placed, day: ReconciliationReported) -> tuple[object, ...]:
    return (
        day.account,
        day.sub_key,
        day.day,
        day.currency,
        day.book_minor,
        day.bank_minor,
        day.processor_minor,
        day.difference_minor,
        Jsonb(msgspec.to_builtins(day.open_exceptions)),
        Jsonb(day.positions),
        placed.shard,
        placed.position,
    )
