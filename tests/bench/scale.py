"""What a number of households needs: each figure of docs/scale.md from a measured one, the formulas in one place."""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

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


MEASURED = {
    "post.batch_1000": "entries/s of one shard on one worker",
    "post.two_shards": "entries/s of two shards on two workers, this machine's two cores",
    "post.two_shards.ratio": "times what one of those workers does alone",
    "post.cpu_us": "microseconds of CPU per entry, Python and PostgreSQL together",
    "kafka.one_partition": "commands/s of one shard, over the broker and back",
    "kafka.record_bytes": "bytes of a ledger's record on the topic, headers included",
    "relay.catch_up": "records/s published of a backlog",
    "projection.rebuild": "events/s of a projection's rebuild",
    "store.bytes": "bytes on disk per entry, all indexes",
    "store.wal_bytes": "bytes of write-ahead log per entry",
    "worker.memory": "MB of a worker that holds 100,000 households",
}
"""What the derivations begin with."""
NEEDED = (
    "kafka.one_partition", "kafka.record_bytes", "store.bytes", "store.wal_bytes", "worker.memory", "relay.catch_up",
    "projection.rebuild",
)  # fmt: skip


class Need(NamedTuple):
    """A need of so many households: what it comes to, its formula in names, and the same with the figures put in."""

    comes_to: str
    formula: str
    worked: str


def measured_table(values: Mapping[str, float]) -> str:
    """Return the measured figures that the derivations begin with; what was not measured says so."""
    rows = [f"| `{name}` | {_figure(values.get(name))} | {what} |" for name, what in MEASURED.items()]
    return "\n".join(["| measured | value | what it is |", "|---|---|---|", *rows])


def derived_table(values: Mapping[str, float]) -> str:
    """Return the table of needs, with its formulas and the middle column worked; or what is still to be measured."""
    missing = [name for name in NEEDED if name not in values]
    if missing:
        return f"Not derived: {', '.join(missing)} were not measured."
    columns = [needs(households, values) for households in HOUSEHOLDS]
    middle = len(HOUSEHOLDS) // 2
    head = "| | " + " | ".join(f"{households // 1_000_000} million" for households in HOUSEHOLDS) + " | formula |"
    rows = [
        f"| {name} | " + " | ".join(column[name].comes_to for column in columns) + f" | {columns[0][name].formula} |"
        for name in columns[0]
    ]
    worked = [f"- {name}: {need.worked} = **{need.comes_to}**" for name, need in columns[middle].items()]
    said = f"The column of {HOUSEHOLDS[middle] // 1_000_000} million with the figures put in:"
    return "\n".join([head, "|---|" + "---|" * (len(HOUSEHOLDS) + 1), *rows, "", said, "", *worked])


def needs(households: int, values: Mapping[str, float]) -> dict[str, Need]:
    """Return each need of so many households, and how it is reckoned."""
    month = households * ENTRIES_PER_MONTH
    peak = month * BUSIEST_HOUR / 3600
    carried = values["kafka.one_partition"] * USED_SHARE
    busy = ceil(peak / carried)
    active = households * ACTIVE_SHARE
    held_bytes = values["worker.memory"] * 2**20 / 100_000
    workers = max(LEAST_WORKERS, busy, ceil(active * held_bytes / WORKER_MEMORY_BYTES))
    per_month = ENTRIES_PER_MONTH + BILLING_EVENTS_PER_MONTH + GATEWAY_EVENTS_PER_MONTH
    events = households * 12 * per_month
    stored, sent = events * values["store.bytes"], events * values["kafka.record_bytes"] * REPLICAS
    disk = SERVER_BYTES * SERVER_ROOM
    servers, brokers = max(LEAST_SERVERS, ceil(stored / disk)), max(LEAST_BROKERS, ceil(sent / disk))
    return {
        "entries a year": Need(
            f"{month * 12 / 1e6:,.0f} M",
            f"households x {ENTRIES_PER_MONTH} a month x 12",
            f"{households:,} x {ENTRIES_PER_MONTH} x 12",
        ),
        "entries/s in the busiest hour": Need(
            f"{peak:,.0f}",
            f"a month's entries x {BUSIEST_HOUR:.0%} / 3,600 s",
            f"{households:,} x {ENTRIES_PER_MONTH} x {BUSIEST_HOUR:.0%} / 3,600",
        ),
        "shards that this keeps busy": Need(
            f"{busy}",
            f"entries/s / (`kafka.one_partition` x {USED_SHARE:.0%}), rounded up",
            f"{peak:,.0f} / ({_figure(values['kafka.one_partition'])} x {USED_SHARE:.0%}), rounded up",
        ),
        "shards at creation": Need(
            f"{max(LEAST_SHARDS, 4 * busy)}",
            f"4 x busy ones, at least {LEAST_SHARDS}",
            f"4 x {busy}, at least {LEAST_SHARDS}",
        ),
        "ledger workers": Need(
            f"{workers}",
            f"busy shards; or active tenth x `worker.memory` / 100,000, in 8 GiB each; at least {LEAST_WORKERS}",
            f"the most of {busy}; {active:,.0f} x {held_bytes:,.0f} bytes / {WORKER_MEMORY_BYTES:,}; {LEAST_WORKERS}",
        ),
        "write-ahead log in the busiest hour": Need(
            f"{peak * values['store.wal_bytes'] / 1e6:,.2f} MB/s",
            "entries/s x `store.wal_bytes`",
            f"{peak:,.0f} x {_figure(values['store.wal_bytes'])} bytes",
        ),
        "PostgreSQL, all logs, a year": Need(
            f"{stored / 1e12:,.2f} TB",
            f"households x 12 x ({ENTRIES_PER_MONTH} + {BILLING_EVENTS_PER_MONTH} + {GATEWAY_EVENTS_PER_MONTH})"
            " events x `store.bytes`",
            f"{households:,} x 12 x {per_month:.1f} x {_figure(values['store.bytes'])} bytes",
        ),
        "PostgreSQL servers after a year": Need(
            f"{servers}",
            f"that in 4 TB each, {SERVER_ROOM:.0%} full, at least {LEAST_SERVERS}; a standby each besides",
            f"{stored / 1e12:,.2f} TB / (4 TB x {SERVER_ROOM:.0%}), rounded up, at least {LEAST_SERVERS}",
        ),
        "Kafka, a year": Need(
            f"{sent / 1e12:,.2f} TB",
            f"those events x `kafka.record_bytes` x {REPLICAS} copies, nothing compressed",
            f"{households:,} x 12 x {per_month:.1f} x {_figure(values['kafka.record_bytes'])} bytes x {REPLICAS}",
        ),
        "brokers after a year": Need(
            f"{brokers}",
            f"that in 4 TB each, {SERVER_ROOM:.0%} full, at least {LEAST_BROKERS}",
            f"{sent / 1e12:,.2f} TB / (4 TB x {SERVER_ROOM:.0%}), rounded up, at least {LEAST_BROKERS}",
        ),
        "relays make up for an hour without a broker": Need(
            f"{peak * 3600 / values['relay.catch_up'] / 60:,.1f} min",
            "the busiest hour's entries / `relay.catch_up`, as if by one relay",
            f"{peak:,.0f} x 3,600 s / {_figure(values['relay.catch_up'])} / 60",
        ),
        "rebuild of a year's entries": Need(
            f"{month * 12 / values['projection.rebuild'] / 3600:,.1f} h",
            "entries a year / `projection.rebuild`, as if on one server",
            f"{month * 12 / 1e6:,.0f} M / {_figure(values['projection.rebuild'])} / 3,600",
        ),
    }


def _figure(value: float | None) -> str:
    """Return a measured value as it is reckoned with, or that there is none."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:,.2f}"
