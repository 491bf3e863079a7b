"""What the demo proves from the logs alone: trees, rebuilt projections, and the day's reconciliation."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.demo.report import Check, ShardRoot
from deploy.local.layout import SHARDS
from deploy.local.stack import Stack
from deploy.local.stack_clock import advance, read_s, stack_time
from services.gateway.projections import PROJECTIONS as GATEWAY_PROJECTIONS
from services.ledger.projections import PROJECTIONS as LEDGER_PROJECTIONS
from shared.contracts.envelope import open_fact
from shared.contracts.ledger import ReconciliationReported
from shared.contracts.topics import SERVICES
from shared.eventlog.projections import Placed, Projection
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from shared.eventlog.verify import BrokenLog, verify_log

ZONE = ZoneInfo("America/New_York")
REPORT_AFTER_MIDNIGHT = timedelta(minutes=11)
EQUAL_WITHIN_S = 30.0
RECONCILED_WITHIN_S = 60.0


def verified_shards(stack: Stack) -> tuple[tuple[ShardRoot, ...], list[str]]:
    """Return every shard's recomputed size and root, and what did not fit."""
    roots: list[ShardRoot] = []
    broken: list[str] = []
    for service in SERVICES:
        for shard in range(SHARDS):
            try:
                found = verify_log(stack.dsn(service), shard)
                roots.append(ShardRoot(service, shard, found.size, found.root.hex()))
            except BrokenLog as error:
                broken.append(f"{service}: {error}")
    return tuple(roots), broken


def projections_equal(stack: Stack) -> list[str]:
    """Return the names of projections that differ from a rebuild out of the logs alone.

    A projection may still be folding the last events when it is asked; it is asked again for half a minute.
    """
    return _unequal(stack, "ledger", LEDGER_PROJECTIONS, ("ledger",)) + _unequal(
        stack, "gateway", GATEWAY_PROJECTIONS, ("billing", "ledger", "notifier")
    )


def _unequal(stack: Stack, service: str, projections: Sequence[Projection], sources: Sequence[str]) -> list[str]:
    dsn = make_conninfo(stack.admin_dsn, dbname=f"piperoll_{service}")
    unequal = []
    for projection in projections:
        deadline = time.monotonic() + EQUAL_WITHIN_S
        while live_digest(dsn, projection) != rebuild_digest(dsn, projection, _facts(stack, sources)):
            if time.monotonic() > deadline:
                unequal.append(f"{service}.{projection.name}")
                break
            time.sleep(0.5)
    return unequal


def _facts(stack: Stack, sources: Sequence[str]) -> Iterator[Placed]:
    return chain.from_iterable(facts_of(stack.dsn(source), source) for source in sources)


def reconciled_day(stack: Stack) -> Check:
    """Let the stack's day end and wait until the ledger has reported it: books and processor agree to the cent."""
    now = stack_time(read_s(stack.state)).astimezone(ZONE)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), ZONE)
    advance(stack.state, int((midnight + REPORT_AFTER_MIDNIGHT - now).total_seconds()) + 1)
    day = now.date().isoformat()
    deadline = time.monotonic() + RECONCILED_WITHIN_S
    report = None
    while time.monotonic() < deadline:
        report = _newest_report(stack, day)
        if report is not None and report.difference_minor == 0 and not _open(report):
            return Check("day_reconciled", True, f"books {report.book_minor} = processor, minor units")
        time.sleep(0.2)
    if report is None:
        return Check("day_reconciled", False, f"no report of {day} within {RECONCILED_WITHIN_S:.0f} s")
    found = f"difference {report.difference_minor} minor units, {_open(report)} open exceptions"
    return Check("day_reconciled", False, f"{day}: {found}")


def _open(report: ReconciliationReported) -> int:
    return sum(bucket.count for bucket in report.open_exceptions)


def _newest_report(stack: Stack, day: str) -> ReconciliationReported | None:
    with psycopg.connect(stack.dsn("ledger")) as connection:
        rows = connection.execute(
            "SELECT data FROM event WHERE type = %s ORDER BY shard, position", (ReconciliationReported.TYPE,)
        ).fetchall()
    found = [open_fact(bytes(data)).event for (data,) in rows]
    reports = [event for event in found if isinstance(event, ReconciliationReported) and event.day == day]
    return reports[-1] if reports else None


def stack_today(stack: Stack) -> datetime:
    """Return the stack's present in UTC."""
    return stack_time(read_s(stack.state)).astimezone(UTC)
