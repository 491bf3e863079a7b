"""The ledger's reconciliation: what each day came to, and the exceptions as they stand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from shared.contracts.ledger import ExceptionChanged, ReconciliationReported
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))
_Key = tuple[str, ...]


class Reconciliation:
    """Folds into `reconciliation_view` and `exception_view`; of a day, and of an exception, the newest word counts."""

    name = "gateway.reconciliation"
    version = 1
    tables: Sequence[str] = ("reconciliation_view", "exception_view")

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement per table, one row per account's day and per exception."""
        days: dict[_Key, tuple[object, ...]] = {}
        exceptions: dict[_Key, tuple[object, ...]] = {}
        for placed in facts:
            tenant = placed.fact.envelope.tenant
            match placed.fact.event:
                case ReconciliationReported() as event:
                    key = (tenant, event.day, event.account, event.sub_key, event.currency)
                    days[key] = _day(placed, event)
                case ExceptionChanged() as event:
                    exceptions[tenant, event.id] = _exception(placed, event)
                case _:
                    pass
        send_by_key(cursor, _SQL["days"], days)
        send_by_key(cursor, _SQL["exceptions"], exceptions)


def _day(placed: Placed, event: ReconciliationReported) -> tuple[object, ...]:
    return (
        placed.shard,
        placed.position,
        event.book_minor,
        event.bank_minor,
        event.processor_minor,
        event.difference_minor,
        event.unexplained_minor,
        _json(event.open_exceptions),
    )


def _exception(placed: Placed, event: ExceptionChanged) -> tuple[object, ...]:
    return (
        placed.shard,
        placed.position,
        event.account,
        event.sub_key,
        event.currency,
        event.kind,
        event.minor,
        event.since,
        event.state,
        event.reason,
        _json(event.references),
        event.explained_by,
        event.note_version,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
