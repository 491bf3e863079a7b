"""What must hold, and what is wanted: the one list of floors and goals."""

from typing import Literal, NamedTuple


class Goal(NamedTuple):
    """A figure's floor, which fails the run, and its goal, which is printed beside. `field` is what they bind."""

    floor: float
    goal: float | None = None
    field: Literal["value", "ratio"] = "value"
    smaller_is_better: bool = False

    def met(self, found: float, limit: float) -> bool:
        """Tell whether a figure is on the right side of a limit."""
        return found <= limit if self.smaller_is_better else found >= limit


def _at_least(floor: float, goal: float | None = None) -> Goal:
    return Goal(floor, goal)


def _at_most(floor: float, goal: float | None = None) -> Goal:
    return Goal(floor, goal, smaller_is_better=True)


GOALS: dict[str, Goal] = {
    "post.batch_1": _at_least(500, 1_000),
    "post.batch_100": _at_least(15_000, 22_000),
    "post.batch_1000": _at_least(25_000, 40_000),
    "post.batch_8000": _at_least(28_000, 50_000),
    "post.cpu_us": _at_most(45, 28),
    "post.two_shards": _at_least(42_000, 65_000),
    "post.two_shards.ratio": _at_least(1.4),
    "post.callers_1": _at_least(500, 1_000),
    "post.callers_16": _at_least(3_000, 6_000),
    "post.callers_64": _at_least(8_000, 14_000),
    "post.callers_256": _at_least(12_000, 22_000),
    "post.hot_ratio": _at_least(0.95, 1.0),
    "post.growth_ratio": _at_least(0.85, 0.95),
    "kafka.one_partition": _at_least(15_000, 25_000),
    "kafka.half_load.p50": _at_most(25, 8),
    "kafka.half_load.p99": _at_most(100, 30),
    "flow.posted_1": _at_most(100, 40),
    "flow.posted_64": _at_least(300, 1_000),
    "read.balance_16": _at_least(1_500, 4_000),
    "read.last20_16": _at_least(1_200, 3_000),
    "relay.catch_up": _at_least(30_000, 100_000),
    "projection.rebuild": _at_least(100_000, 200_000),
    "worker.cold_start": _at_most(1.0, 0.3),
    "worker.memory": _at_most(500, 250),
    "store.bytes": _at_most(1_150, 700),
    "store.wal_bytes": _at_most(1_800, 1_200),
    "store.put_1000": Goal(2.0, field="ratio"),
    "store.copy_ratio": _at_least(0.5),
    "http.conn_1": _at_least(250),
    "http.conn_64": _at_least(1_200),
    "http.conn_64.p99": _at_most(150),
    "flow.payments": _at_least(80),
    "flow.latency.p50": _at_most(250),
    "flow.latency.p99": _at_most(1_000),
}
