"""Both sides of 1125 as of one moment, over all shards, at named positions."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from services.ledger.domain.exceptions import Match, Side, by_age, open_on
from services.ledger.domain.processor import ReconcileDay
from services.ledger.projections.reconciliation_lines import ReconciliationLines
from shared.eventlog.projection_runner import positions_of
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
DAYS_LOOKED_AT = 35


class Day(msgspec.Struct, frozen=True):
    """One day to report, and for which tenant."""

    tenant: str
    command: ReconcileDay


class Reading(msgspec.Struct, frozen=True):
    """What the projections held: positions per shard, and the days whose report this shard has taken."""

    positions: dict[int, int]
    days: tuple[Day, ...]


def read(connection: psycopg.Connection[Any], shard: int, ends: Mapping[int, int]) -> Reading | None:
    """Return the newest 35 days that `shard` has reports of, from one snapshot of the database.

    None where a shard's projection has not reached its log's end in `ends`.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        positions = positions_of(cursor, ReconciliationLines.name, ReconciliationLines.version, "ledger")
        if any(positions.get(number, 0) < end for number, end in ends.items()):
            return None
        reports = cursor.execute(_SQL["reports"], (shard, DAYS_LOOKED_AT, shard)).fetchall()
        days: list[Day] = []
        for (processor, currency), of_account in groupby(reports, key=lambda report: (report[0], report[2])):
            book = [(day, int(minor)) for day, minor in cursor.execute(_SQL["book_days"], (processor, currency))]
            matches = [_match(row) for row in cursor.execute(_SQL["open_matches"], (processor, currency))]
            for _, day, _, tenant, closing_minor in of_account:
                command = ReconcileDay(
                    processor=processor,
                    day=day,
                    currency=currency,
                    book_minor=sum(minor for booked_on, minor in book if booked_on <= day),
                    processor_minor=closing_minor,
                    open_exceptions=by_age(open_on(matches, day), day),
                    positions={str(number): position for number, position in sorted(positions.items())},
                )
                days.append(Day(tenant, command))
    return Reading(positions, tuple(days))


def _match(row: tuple[Any, ...]) -> Match:
    reference, book_count, book_minor, book_on, processor_count, processor_minor, processor_on = row
    return Match(
        reference,
        Side(book_count, int(book_minor), book_on),
        Side(processor_count, int(processor_minor), processor_on),
    )
