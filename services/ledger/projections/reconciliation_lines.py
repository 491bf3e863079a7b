"""The two sides of 1010, 1125 and 1126, line by line and by reference, and what each day and exception came to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from services.ledger.domain import bank, processor
from shared.contracts.ledger import (
    EntryPosted,
    ExceptionChanged,
    Posting,
    ReconciledAccount,
    ReconciliationReported,
    ReportPartTaken,
    ReportTaken,
    StatementTaken,
)
from shared.eventlog.projections import Placed, send, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
Origin = Literal["book", "outside"]
OPENING = "opening"
"""What a bank account held before its first statement: the line of a statement's opening that is taken once."""


@dataclass(frozen=True)
class Line:
    """One line of either side; `minor` is above zero where it adds to the account, of 1126's other side where the
    money arrived. `name` is an outside line's own, which it has once.
    """

    shard: int
    position: int
    ordinal: int
    origin: Origin
    account: ReconciledAccount
    sub_key: str
    currency: str
    reference: str
    name: str | None
    kind: str
    day: str
    minor: int

    def row(self) -> tuple[object, ...]:
        """Return the columns in the table's order."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def booked_minor(self) -> int:
        """What the line moved in the books: of 1126 both sides are entries."""
        if self.origin == "book":
            return self.minor
        return -self.minor if self.account == "1126" else 0


class ReconciliationLines:
    """Folds postings, report and statement lines, reported days and exceptions into `reconciliation_*`."""

    name = "ledger.reconciliation"
    version = 2
    tables: Sequence[str] = (
        "reconciliation_line",
        "reconciliation_book_day",
        "reconciliation_match",
        "reconciliation_report",
        "reconciliation_day",
        "reconciliation_exception",
    )

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add the batch's lines, then what they change, then headers, days and exceptions."""
        lines: dict[tuple[int, int, int], Line] = {}
        for placed in facts:
            for line in _lines(placed):
                lines[line.shard, line.position, line.ordinal] = line
        if lines:
            self._add(cursor, lines)
        for placed in facts:
            match placed.fact.event:
                case ReportTaken() | StatementTaken() as header:
                    cursor.execute(_SQL["put_report"], _report(placed, header))
                case ReconciliationReported() as day:
                    cursor.execute(_SQL["put_day"], _day(placed, day))
                case ExceptionChanged() as changed:
                    cursor.execute(_SQL["put_exception"], _exception(placed, changed))

    def _add(self, cursor: psycopg.Cursor[Any], lines: dict[tuple[int, int, int], Line]) -> None:
        send(cursor, _SQL["add_lines"], [line.row() for line in lines.values()])
        new = [lines[place] for place in sorted(cursor.fetchall())]
        days: dict[tuple[int, str, str, str, str], int] = {}
        for line in new:
            if line.booked_minor:
                key = (line.shard, line.account, line.sub_key, line.currency, line.day)
                days[key] = days.get(key, 0) + line.booked_minor
        send_by_key(cursor, _SQL["add_book_days"], {key: (minor,) for key, minor in days.items()})
        send(cursor, _SQL["add_matches"], _matches(new))


def _lines(placed: Placed) -> Iterator[Line]:
    match placed.fact.event:
        case EntryPosted() as entry:
            for ordinal, posting in enumerate(entry.postings):
                if posting.code in ("1010", "1125", "1126"):
                    yield _posted(placed, ordinal, entry, posting)
        case ReportPartTaken() as part:
            for ordinal, told in enumerate(processor.lines_of(part)):
                yield Line(placed.shard, placed.position, ordinal, "outside", "1125", part.processor, told.currency,
                           told.reference, told.name, told.kind, part.day, told.minor)  # fmt: skip
        case StatementTaken() as page:
            yield _stated(placed, 0, page, OPENING, OPENING, OPENING, page.opening_minor)
            for ordinal, line in enumerate(page.lines, start=1):
                yield _stated(
                    placed, ordinal, page, bank.reference_of(line), line.line_ref, line.kind, line.amount_minor
                )


def _stated(
    placed: Placed, ordinal: int, page: StatementTaken, reference: str, name: str, kind: str, minor: int
) -> Line:
    return Line(placed.shard, placed.position, ordinal, "outside", "1010", page.bank_account, page.currency, reference,
                name, kind, page.day, minor)  # fmt: skip


def _posted(placed: Placed, ordinal: int, entry: EntryPosted, posting: Posting) -> Line:
    """A posting on 1126 is the bank's side where the bank account's stream booked it; a journal names no processor."""
    minor = posting.amount_minor if posting.side == "D" else -posting.amount_minor
    place = (placed.shard, placed.position, ordinal)
    if posting.code == "1126":
        kind, _, name = entry.account_id.partition("_")
        is_bank = kind == "bnk"
        return Line(*place, "outside" if is_bank else "book", "1126", name if kind == "prc" else processor.PAYS_OUT,
                    entry.currency, posting.sub_key, None, entry.rule, entry.effective_date,
                    -minor if is_bank else minor)  # fmt: skip
    account: ReconciledAccount = "1125" if posting.code == "1125" else "1010"
    reference = entry.processor_ref or entry.reference or entry.entry_id
    return Line(*place, "book", account, posting.sub_key, entry.currency, reference, None, entry.rule,
                entry.effective_date, minor)  # fmt: skip


def _matches(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """Return both sides per reference and day, in the order of the key: two shards that meet never wait in a circle."""
    sides: dict[tuple[str, ...], dict[Origin, tuple[int, int]]] = {}
    for line in lines:
        key = (line.account, line.sub_key, line.currency, line.reference, line.day)
        both = sides.setdefault(key, {"book": (0, 0), "outside": (0, 0)})
        count, minor = both[line.origin]
        both[line.origin] = (count + 1, minor + line.minor)
    return [(*key, *sides[key]["book"], *sides[key]["outside"]) for key in sorted(sides)]


def _report(placed: Placed, header: ReportTaken | StatementTaken) -> tuple[object, ...]:
    account, sub_key = ("1125", header.processor) if isinstance(header, ReportTaken) else ("1010", header.bank_account)
    envelope = placed.fact.envelope
    return (
        account,
        sub_key,
        header.currency,
        header.day,
        envelope.tenant,
        header.closing_minor,
        envelope.recorded_at,
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
        day.unexplained_minor,
        Jsonb(msgspec.to_builtins(day.open_exceptions)),
        Jsonb(day.positions),
        placed.shard,
        placed.position,
    )


def _exception(placed: Placed, changed: ExceptionChanged) -> tuple[object, ...]:
    return (
        changed.id,
        changed.account,
        changed.sub_key,
        changed.currency,
        changed.kind,
        changed.minor,
        changed.since,
        changed.state,
        changed.reason,
        changed.references[0],
        placed.shard,
        placed.position,
    )
