"""What a rebuild of the ledger's balances takes: `projection.rebuild`, events/s from the log to the swapped table."""

import resource
import time

import psycopg

from services.ledger.projections.balances import Balances
from shared.eventlog.own_log import OwnLog
from shared.eventlog.swap import rebuild
from tests.bench.entries import MINOR
from tests.bench.machine import RUNS, record, say

PROCESSES = 2


def run(admin: str, events: int, households: int) -> list[dict[str, object]]:
    """Return the records `projection.rebuild` and `projection.rebuild_cpu_us`, each the median of three rebuilds.

    `admin` is the superuser's DSN on a filled ledger's database with so many events of so many households.
    Microseconds per event are those of our processes; PostgreSQL's own are in the rate.
    """
    rates, costs = [], []
    for number in range(RUNS):
        began, used = time.perf_counter(), _cpu_s()
        positions = rebuild(admin, Balances(), OwnLog(admin, "ledger"), PROCESSES)
        assert sum(positions.values()) == events, f"the log holds {positions}"
        rates.append(events / (time.perf_counter() - began))
        costs.append(1e6 * (_cpu_s() - used) / events)
        say(f"projection.rebuild run {number + 1}: {rates[-1]:,.0f} events/s")
    _check(admin, events, households)
    return [
        record("projection.rebuild", "events/s", rates, None),
        record("projection.rebuild_cpu_us", "us/event", costs, None, smaller_is_better=True),
    ]


def _cpu_s() -> float:
    ours, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + children.ru_utime + children.ru_stime


def _check(admin: str, events: int, households: int) -> None:
    """Every household has its four balances, and they come to what was posted."""
    with psycopg.connect(admin) as connection:
        row = connection.execute("SELECT count(*), sum(debit_minor), sum(credit_minor) FROM balance").fetchone()
    minor = 2 * MINOR * events
    assert row == (4 * households, minor, minor), f"the rebuilt balances hold {row}"
