"""`docs/metrics.md`, from the one list of metrics."""

from collections.abc import Sequence

from shared.telemetry.metrics import METRICS, Described

_HEAD = """\
# Metrics

Generated from `shared/telemetry/metrics.py` by `make gen`. Every process serves them at `/metrics`; a histogram has
`_bucket`, `_sum` and `_count`. No label holds an id of a person, an account or a payment.

| metric | kind | unit | labels | meaning |
|---|---|---|---|---|
"""


def metrics_page(metrics: Sequence[Described] = tuple(METRICS)) -> str:
    """Return the page: one row per metric, by name."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {', '.join(metric.labels) or '–'} | {metric.meaning} |\n"
        for metric in sorted(metrics, key=lambda metric: metric.name)
    ]
    return _HEAD + "".join(rows)
