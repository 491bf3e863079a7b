"""What the demo says in the end: a table for people, one JSON object for programs."""

import hashlib
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table


class Check(msgspec.Struct, frozen=True):
    """One thing that must be true; `detail` says what was found."""

    name: str
    held: bool
    detail: str = ""


class ShardRoot(msgspec.Struct, frozen=True):
    """A shard's log as recomputed from its events: number of leaves and RFC 6962 root in hexadecimal."""

    service: str
    shard: int
    size: int
    root: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The object that `piperoll demo --json` prints."""

    households: int
    seed: int
    events: dict[str, int]
    entries: int
    parked: int
    payments: dict[str, int]
    duplicates: dict[str, int]
    exceptions: dict[str, int]
    mails: int
    trial_balance_minor: int
    unexplained_minor: int
    shards: tuple[ShardRoot, ...]
    log_verified: bool
    projections_equal: bool
    latency_ms: dict[str, float]
    household_digests: tuple[str, ...]
    checks: tuple[Check, ...]
    held: bool


def percentiles(latencies_ms: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds, rounded to a tenth."""
    if len(latencies_ms) < 2:
        only = round(latencies_ms[0], 1) if latencies_ms else 0.0
        return {"p50": only, "p95": only, "p99": only}
    cuts = statistics.quantiles(latencies_ms, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def print_json(report: Report) -> None:
    """Print the report as one line of JSON on standard output."""
    print(msgspec.json.encode(report).decode())


def print_table(report: Report, console: Console) -> None:
    """Print what is the same for the same seed; times and roots are only in the JSON."""
    figures = Table(title=f"{report.households} households, seed {report.seed}", show_header=False)
    for name, value in _figures(report):
        figures.add_row(name, value)
    console.print(figures)
    checks = Table("check", "held", "found")
    for check in report.checks:
        checks.add_row(check.name, "yes" if check.held else "[red]NO[/red]", check.detail)
    console.print(checks)
    console.print("held" if report.held else "[red]did not hold[/red]")


def _figures(report: Report) -> list[tuple[str, str]]:
    def counted(values: dict[str, Any]) -> str:
        return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))

    return [
        ("payments", counted(report.payments)),
        ("duplicates", counted(report.duplicates)),
        ("exceptions", counted(report.exceptions)),
        ("ledger entries", str(report.entries)),
        ("mails", str(report.mails)),
        ("parked records", str(report.parked)),
        ("trial balance", f"{report.trial_balance_minor} (debits less credits, minor units)"),
        ("unexplained", f"{report.unexplained_minor} (exceptions without a reason, minor units)"),
        ("entries' digest", _joint(report)),
    ]


def _joint(report: Report) -> str:
    return hashlib.sha256("".join(report.household_digests).encode()).hexdigest()[:16]
