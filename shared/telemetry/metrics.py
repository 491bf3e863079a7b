"""Every metric of every service: name, unit, meaning, labels, in one list; `docs/metrics.md` is generated from it.

Names follow Prometheus: base units, `_total`, `_seconds`, `_bytes`; no label ever holds an id of a person, an account
or a payment. `service` is a label, because tests and the local stack may run several in one process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)
CONTENT_TYPE = CONTENT_TYPE_LATEST
FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SLOW_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Described:
    """One line of the list."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str


METRICS: list[Described] = []


def _counter(name: str, unit: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    METRICS.append(Described(name, "counter", unit, tuple(labels), meaning))
    return Counter(name, meaning, labels, registry=REGISTRY)


def _gauge(name: str, unit: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    METRICS.append(Described(name, "gauge", unit, tuple(labels), meaning))
    return Gauge(name, meaning, labels, registry=REGISTRY)


def _histogram(
    name: str, unit: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = FAST_S
) -> Histogram:
    METRICS.append(Described(name, "histogram", unit, tuple(labels), meaning))
    return Histogram(name, meaning, labels, registry=REGISTRY, buckets=buckets)


def exposition() -> bytes:
    """Return the body of `/metrics`."""
    return generate_latest(REGISTRY)


# The log and its writer
COMMITS = _counter(
    "piperoll_commits_total", "commits", "Transactions of the writer that were committed", ["service", "shard"]
)
COMMIT_SECONDS = _histogram(
    "piperoll_commit_seconds", "seconds", "From a batch's decision to its durable commit", ["service", "shard"]
)
BATCH_EVENTS = _histogram("piperoll_batch_events", "events", "Events in one commit", ["service", "shard"], SIZES)
EVENTS_APPENDED = _counter(
    "piperoll_events_appended_total", "events", "Events appended to the log", ["service", "shard"]
)
COMMANDS = _counter(
    "piperoll_commands_total", "commands",
    "Submitted commands by answer: decided, repeat, conflict, on_hold, fault",
    ["service", "shard", "answer"],
)  # fmt: skip
UNKNOWN_COMMITS = _counter(
    "piperoll_unknown_commits_total",
    "commits",
    "Commits whose answer was lost, by fate: committed, redo",
    ["service", "shard", "fate"],
)
WRITER_QUEUE = _gauge("piperoll_writer_queue", "commands", "Commands that wait for the writer", ["service", "shard"])
SHARD_POSITION = _gauge("piperoll_shard_position", "events", "Last position of the shard's log", ["service", "shard"])
SHARD_EPOCH = _gauge(
    "piperoll_shard_epoch", "epochs", "Epoch under which this worker holds the shard", ["service", "shard"]
)
SHARD_STOPPED = _gauge(
    "piperoll_shard_stopped", "shards", "1 where the shard stands still: fenced, clock, fork, rolled_back, fault",
    ["service", "shard", "cause"],
)  # fmt: skip
CLOCK_DRIFT_SECONDS = _gauge(
    "piperoll_clock_drift_seconds",
    "seconds",
    "How far the writer's time was ahead of the database's clock at its last commit; above 1 the shard stops",
    ["service", "shard"],
)
# Cursors and parked records
RECORDS = _counter(
    "piperoll_records_total", "records", "Records taken from topics, by verdict: apply, skip, gap, fork, stray",
    ["service", "topic", "verdict"],
)  # fmt: skip
PARKED = _gauge(
    "piperoll_parked",
    "records",
    "Parked records that are not released; each counts as unexplained",
    ["service", "shard"],
)
PARKED_TOTAL = _counter("piperoll_records_parked_total", "records", "Records parked", ["service", "topic", "cause"])
HOLDS = _gauge("piperoll_holds", "households", "Households that wait behind a parked record", ["service", "shard"])
GAPS = _gauge("piperoll_gaps", "chains", "Chains that stand still because a record is missing", ["service", "shard"])
FORKS = _gauge(
    "piperoll_forks", "chains", "Chains that stand still because two records claim one place", ["service", "shard"]
)
PARKED_LONG = _gauge(
    "piperoll_parked_long", "records", "Records that hold a key longer than a limit: 15m, or 24h (a person must look)",
    ["service", "shard", "limit"],
)  # fmt: skip
CHAIN_ALARMS = _counter(
    "piperoll_chain_alarms_total", "alarms", "Forks, and gaps older than 30 s", ["service", "topic", "verdict"]
)
# Relay
RELAY_LAG = _gauge("piperoll_relay_lag", "events", "Events committed and not yet published", ["service", "shard"])
RELAY_POSITION = _gauge("piperoll_relay_position", "events", "Last published position", ["service", "shard"])
RELAY_SENT = _counter("piperoll_relay_sent_total", "records", "Records acknowledged by Kafka", ["topic"])
RELAY_FAILURES = _counter(
    "piperoll_relay_failures_total", "batches", "Batches whose publishing failed", ["service", "shard"]
)
REFILLS_ASKED = _counter(
    "piperoll_refills_asked_total", "requests", "Requests for records that a chain lacks here", ["service", "topic"]
)
REFILLS_SERVED = _counter(
    "piperoll_refills_served_total", "refills", "Parts of a log published again to their end",
    ["service", "shard", "topic"],
)  # fmt: skip
REFILLED = _counter("piperoll_refilled_total", "records", "Records published again by refills", ["service", "topic"])
TOPICS_WIPED = _counter(
    "piperoll_topics_wiped_total", "partitions", "Partitions found made anew or without their beginning",
    ["service", "topic"],
)  # fmt: skip
PUBLISH_SECONDS = _histogram("piperoll_publish_seconds", "seconds", "From handing a batch to Kafka to all acknowledged")
PRODUCER_REPLACED = _counter("piperoll_producer_replaced_total", "producers", "Producers given up as broken")
# Inbox
INBOX_LAG = _gauge(
    "piperoll_inbox_lag", "records", "Records on our partitions that are not yet handled", ["service", "topic"]
)
INBOX_RECORDS = _counter("piperoll_inbox_records_total", "records", "Records read from Kafka", ["service", "topic"])
INBOX_BATCH = _histogram("piperoll_inbox_batch_records", "records", "Records handed over at once", ["service"], SIZES)
INBOX_PAUSED = _gauge(
    "piperoll_inbox_paused", "partitions", "Partitions paused because their queue is full", ["service"]
)
INBOX_SHARDS = _gauge("piperoll_inbox_shards", "shards", "Shards assigned to this worker", ["service"])
INBOX_FAILURES = _counter(
    "piperoll_inbox_failures_total", "batches", "Batches whose handler failed; they are retried", ["service"]
)
INBOX_REWINDS = _counter(
    "piperoll_inbox_rewinds_total", "partitions", "Partitions read again from an earlier offset", ["service"]
)
# Effects
EFFECTS_OPEN = _gauge("piperoll_effects_open", "effects", "Intents without outcome", ["kind"])
EFFECTS_IN_FLIGHT = _gauge("piperoll_effects_in_flight", "calls", "Calls to the outside under way", ["kind"])
LIMITS_EXCEEDED = _gauge(
    "piperoll_limits_exceeded", "effects", "Effects that wait longer than their limit: a person must look", ["kind"]
)
OUTCOMES = _counter("piperoll_outcomes_total", "outcomes", "Outcomes of effects", ["kind", "outcome"])
EFFECT_CALL_SECONDS = _histogram(
    "piperoll_effect_call_seconds", "seconds", "One call to the outside", ["call", "result"], SLOW_S
)
# Requests
REQUESTS_OVERDUE = _gauge(
    "piperoll_requests_overdue", "requests", "Requests of which nobody has said anything for 60 s", ["kind"]
)
# HTTP
HTTP_REQUESTS = _counter("piperoll_http_requests_total", "requests", "Requests answered", ["method", "route", "status"])
HTTP_SECONDS = _histogram("piperoll_http_seconds", "seconds", "From request to answer", ["method", "route"], SLOW_S)
HTTP_STREAMS = _gauge("piperoll_http_streams", "streams", "Streams of events that are open")
HTTP_PROBLEMS = _counter("piperoll_http_problems_total", "answers", "Problem answers by code", ["code"])
WEBHOOKS = _counter("piperoll_webhooks_total", "webhooks", "Webhooks received, by result", ["provider", "result"])
# Notices
MAILS = _counter(
    "piperoll_mails_total", "mails", "Mails by result: sent, retried, rejected, exhausted, erased", ["result"]
)
MAIL_SECONDS = _histogram("piperoll_mail_seconds", "seconds", "One delivery to the mail server", (), SLOW_S)
# Projections
PROJECTION_LAG = _gauge(
    "piperoll_projection_lag", "events", "Events a projection has yet to fold", ["projection", "source"]
)
PROJECTION_SECONDS = _histogram("piperoll_projection_seconds", "seconds", "One batch of a projection", ["projection"])
BALANCES_PUBLISHED = _counter("piperoll_balances_published_total", "records", "Balances sent to `ledger.balances.v1`")
BALANCES_LAG = _gauge(
    "piperoll_balances_lag", "events", "Events whose balances are not yet on `ledger.balances.v1`", ["shard"]
)
# Money
UNEXPLAINED_MINOR = _gauge(
    "piperoll_unexplained_minor", "minor units",
    "Sum without sign of the exceptions of a reconciled account that are open and not explained, must be 0",
    ["account"],
)  # fmt: skip
PAYOUTS_LATE = _gauge(
    "piperoll_payouts_late", "payouts", "Payouts that the bank has not shown for more than three bank days"
)
TRIAL_BALANCE_MINOR = _gauge("piperoll_trial_balance_minor", "minor units", "All debits less all credits, must be 0")
PROPOSALS_WAITING = _gauge(
    "piperoll_proposals_waiting", "proposals", "Entries by hand and changes of ledger accounts that wait for approval",
    ["shard"],
)  # fmt: skip
ACCOUNTS_CLOSING = _gauge(
    "piperoll_accounts_closing", "accounts", "Ledger accounts frozen until what all shards hold of them is known",
    ["shard"],
)  # fmt: skip
TRIAL_BALANCES_UNEVEN = _counter(
    "piperoll_trial_balances_uneven_total", "days", "Days that were not reported because debits and credits differ"
)
LIMITS_BROKEN = _counter("piperoll_limits_broken_total", "entries", "Billing decisions that the accounts did not allow")
