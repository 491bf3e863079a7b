"""What a rebuild of the ledger's balances takes: `projection.rebuild`, events/s from the log to the swapped table.

`python -m tests.bench.projection` prints the record. The log holds entries of four postings of
10,000 households, in the bytes that a writer stores.
"""

import json
import os
import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from services.ledger.projections.balances import Balances
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor
from shared.contracts.ledger import EntryPosted, Posting
from shared.eventlog.own_log import OwnLog
from shared.eventlog.packing import pack
from shared.eventlog.rebuild import compare
from shared.eventlog.swap import rebuild
from shared.ids import shard_of
from shared.postgres.provision import provision
from tests.bench.machine import RUNS, record

EVENTS = 1_000_000
HOUSEHOLDS = 10_000
SHARDS = 8
PROCESSES = 2
DAY = "2026-02-10"
_COPY = "COPY event_N (shard, position, stream, version, event_id, type, data)"


def rebuild_rate(admin_dsn: str, events: int = EVENTS) -> list[dict[str, object]]:
    """Return the records `projection.rebuild` and `projection.rebuild_cpu_us`, each the median of three rebuilds.

    Microseconds per event are those of our processes; PostgreSQL's own are in the rate.
    """
    name = "bench_projection"
    provision(admin_dsn, "ledger", SHARDS, database=name)
    admin = make_conninfo(admin_dsn, dbname=name)
    try:
        _fill(admin, events)
        rates, costs = [], []
        for _ in range(RUNS):
            began, used = time.perf_counter(), _cpu_s()
            positions = rebuild(admin, Balances(), OwnLog(admin, "ledger"), PROCESSES)
            folded = sum(positions.values())
            rates.append(folded / (time.perf_counter() - began))
            costs.append(1e6 * (_cpu_s() - used) / folded)
        found = compare(admin, Balances(), OwnLog(admin, "ledger"))
        assert found.live == found.folded, "the rebuilt balances are not those of the log"
        _check(admin, events)
    finally:
        with psycopg.connect(admin_dsn, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    return [
        record("projection.rebuild", "events/s", rates, None),
        record("projection.rebuild_cpu_us", "us/event", costs, None, smaller_is_better=True),
    ]


def _cpu_s() -> float:
    ours, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + children.ru_utime + children.ru_stime


def _entry(number: int) -> tuple[str, bytes]:
    """Return a household and its entry in bytes, in which the server puts what differs from event to event."""
    account = f"acc_{number:023d}"
    legs = (("2110", account, "D"), ("1210", f"{account}/P{number}/2026-01", "C"), ("2220", f"P{number}", "D"),
            ("2310", account, "C"))  # fmt: skip
    entry = EntryPosted(
        account_id=account, entry_id="ent_@", group_id="grp_@", rule="PR-06",
        cause_type="billing.payment-allocated.v1", cause="@", payment_id="pay_3_@", invoice_id="inv_3_@",
        effective_date=DAY, currency="USD",
        postings=tuple(
            Posting(code=code, sub_key=key, side=side, amount_minor=18165)  # type: ignore[arg-type]
            for code, key, side in legs
        ),
    )  # fmt: skip
    envelope = Envelope(
        tenant="demo", event_id="@", type=entry.TYPE, stream=account, version=1,
        recorded_at=f"{DAY}T00:00:00.000000Z", effective_date=DAY, actor=Actor("system", "billing"), correlation="@",
        causation="@", payload=encode_event(entry),
    )  # fmt: skip
    return account, seal(envelope)


def _fill(admin_dsn: str, events: int) -> None:
    """Give each household the same number of entries, in turn within its shard, packed as a writer packs them."""
    households: dict[int, list[tuple[str, bytes]]] = {shard: [] for shard in range(SHARDS)}
    for number in range(HOUSEHOLDS):
        account, data = _entry(number)
        households[shard_of("demo", account, SHARDS)].append((account, data))
    each = max(1, events // HOUSEHOLDS)
    with psycopg.connect(admin_dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for shard, held in households.items():
            turns = product(range(1, each + 1), held)
            with cursor.copy(f"{_COPY} FROM STDIN (FORMAT binary)".replace("event_N", f"event_{shard}")) as copy:
                copy.set_types(["int4", "int8", "text", "int8", "uuid", "text", "bytea"])
                for position, (version, (account, data)) in enumerate(turns, 1):
                    identity = f"{shard:08x}{position:024x}"
                    packed = pack(data.replace(b"@", identity.encode()))
                    copy.write_row((shard, position, account, version, UUID(identity), EntryPosted.TYPE, packed))
            cursor.execute("UPDATE shard SET next_position = %s WHERE shard = %s", (len(held) * each + 1, shard))
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) event")


def _check(admin_dsn: str, events: int) -> None:
    """Every household has its four balances, and all of them come to what was posted."""
    with psycopg.connect(admin_dsn) as connection:
        row = connection.execute("SELECT count(*), sum(debit_minor), sum(credit_minor) FROM balance").fetchone()
    minor = max(1, events // HOUSEHOLDS) * HOUSEHOLDS * 2 * 18165
    assert row == (4 * HOUSEHOLDS, minor, minor), f"the rebuilt balances hold {row}"


def main() -> int:
    """Print the records, on the server that the environment names or one of this run."""
    there = os.environ.get("PIPEROLL_POSTGRES_DSN")
    if there:
        print(json.dumps(rebuild_rate(there), indent=1))
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="piperoll-bench-") as folder,
        Stack(Path(folder) / "state", only=("postgres",)) as stack,
    ):
        print(json.dumps(rebuild_rate(stack.admin_dsn), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
