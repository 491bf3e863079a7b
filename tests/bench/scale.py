"""What a number of households needs: each figure of docs/scale.md from a measured one, the formulas in one place."""

from collections.abc import Mapping
from math import ceil

HOUSEHOLDS = (1_000_000, 10_000_000, 100_000_000)
ENTRIES_PER_MONTH = 4.4
"""Bill, attempt, settlement, allocation of one policy, and a tenth more for what goes wrong."""
BILLING_EVENTS_PER_MONTH = 8.0
GATEWAY_EVENTS_PER_MONTH = 1.5
BUSIEST_HOUR = 0.05
"""Of a month's entries: its whole first day would be one fifth of them in four hours."""
ACTIVE_SHARE = 0.1
"""Of the households are touched in the hours in which a worker would otherwise load them again."""
USED_SHARE = 0.5
"""Of what was measured is planned with; the rest is for takeovers, rebuilds and bad days."""
WORKER_MEMORY_BYTES = 8 * 2**30
SERVER_BYTES = 4 * 10**12
SERVER_ROOM = 0.7
REPLICAS = 3
BROKER_BYTES = 4 * 10**12
LEAST_SHARDS, LEAST_SERVERS, LEAST_BROKERS, LEAST_WORKERS = 64, 2, 3, 2


def measured_table(values: Mapping[str, float]) -> str:
    """Return the measured figures that the derivations begin with."""
    wanted = (
        ("post.batch_1000", "entries/s of one shard on one worker"),
        ("post.two_shards", "entries/s of two shards on two workers, this machine's two cores"),
        ("post.cpu_us", "microseconds of CPU per entry, Python and PostgreSQL together"),
        ("kafka.one_partition", "commands/s of one shard, over the broker and back"),
        ("kafka.record_bytes", "bytes of a ledger's record on the topic, headers included"),
        ("relay.catch_up", "records/s published of a backlog"),
        ("projection.rebuild", "events/s of a projection's rebuild"),
        ("store.bytes", "bytes on disk per entry, all indexes"),
        ("store.wal_bytes", "bytes of write-ahead log per entry"),
        ("worker.memory", "MB of a worker that holds 100,000 households"),
    )
    rows = [f"| `{name}` | {values[name]:,.0f} | {what} |" for name, what in wanted if name in values]
    if "post.two_shards" in values and "post.batch_1000" in values:
        times = values["post.two_shards"] / values["post.batch_1000"]
        rows.append(f"| `post.two_shards` / `post.batch_1000` | {times:.2f} | from one worker to two |")
    return "\n".join(["| measured | value | what it is |", "|---|---|---|", *rows])


def derived_table(values: Mapping[str, float]) -> str:
    """Return the table of needs, or what is still to be measured for it."""
    needed = (
        "kafka.one_partition", "kafka.record_bytes", "store.bytes", "store.wal_bytes", "worker.memory",
        "projection.rebuild",
    )  # fmt: skip
    missing = [name for name in needed if name not in values]
    if missing:
        return f"Not derived: {', '.join(missing)} were not measured."
    columns = [needs(households, values) for households in HOUSEHOLDS]
    head = "| | " + " | ".join(f"{households // 1_000_000} million" for households in HOUSEHOLDS) + " | formula |"
    rows = [
        f"| {name} | " + " | ".join(column[name][0] for column in columns) + f" | {columns[0][name][1]} |"
        for name in columns[0]
    ]
    return "\n".join([head, "|---|" + "---|" * (len(HOUSEHOLDS) + 1), *rows])


def needs(households: int, values: Mapping[str, float]) -> dict[str, tuple[str, str]]:
    """Return each need of so many households, and how it is reckoned."""
    entries_year = households * ENTRIES_PER_MONTH * 12
    peak = households * ENTRIES_PER_MONTH * BUSIEST_HOUR / 3600
    capacity = values["kafka.one_partition"] * USED_SHARE
    busy_shards = ceil(peak / capacity)
    held_bytes = values["worker.memory"] * 2**20 / 100_000
    workers = max(LEAST_WORKERS, busy_shards, ceil(households * ACTIVE_SHARE * held_bytes / WORKER_MEMORY_BYTES))
    all_events_year = households * 12 * (ENTRIES_PER_MONTH + BILLING_EVENTS_PER_MONTH + GATEWAY_EVENTS_PER_MONTH)
    stored_year = all_events_year * values["store.bytes"]
    servers = max(LEAST_SERVERS, ceil(stored_year / (SERVER_BYTES * SERVER_ROOM)))
    topics_year = all_events_year * values["kafka.record_bytes"] * REPLICAS
    brokers = max(LEAST_BROKERS, ceil(topics_year / (BROKER_BYTES * SERVER_ROOM)))
    wal_peak = peak * values["store.wal_bytes"]
    rebuild_h = entries_year / values["projection.rebuild"] / 3600
    return {
        "entries a year": (f"{entries_year / 1e6:,.0f} M", f"households x {ENTRIES_PER_MONTH} a month x 12"),
        "entries/s in the busiest hour": (f"{peak:,.0f}", f"a month's entries x {BUSIEST_HOUR:.0%} / 3,600 s"),
        "shards that this keeps busy": (f"{busy_shards}", f"peak / (`kafka.one_partition` x {USED_SHARE:.0%}), up"),
        "shards at creation": (f"{max(LEAST_SHARDS, 4 * busy_shards)}", f"4 x busy ones, at least {LEAST_SHARDS}"),
        "ledger workers": (
            f"{workers}",
            f"most of: busy shards; active tenth x `worker.memory` / 100,000 in 8 GiB each; {LEAST_WORKERS}",
        ),
        "write-ahead log at the peak": (f"{wal_peak / 1e6:,.2f} MB/s", "peak x `store.wal_bytes`"),
        "PostgreSQL, all logs, a year": (
            f"{stored_year / 1e12:,.2f} TB",
            f"households x 12 x ({ENTRIES_PER_MONTH} + {BILLING_EVENTS_PER_MONTH} + {GATEWAY_EVENTS_PER_MONTH})"
            " events x `store.bytes`",
        ),
        "PostgreSQL servers after a year": (f"{servers}", f"that in 4 TB each, {SERVER_ROOM:.0%} full; a standby each"),
        "Kafka, a year": (
            f"{topics_year / 1e12:,.2f} TB",
            f"those events x `kafka.record_bytes` x {REPLICAS}",
        ),
        "brokers after a year": (f"{brokers}", f"that in 4 TB each, {SERVER_ROOM:.0%} full, at least {LEAST_BROKERS}"),
        "rebuild of a year's entries": (
            f"{rebuild_h:,.1f} h",
            "entries / `projection.rebuild`, one server",
        ),
    }
