"""`make bench` and `make bench-long`: every figure beside a baseline of the same run, its floor and its goal.

Results go to `build/bench.json` (`build/bench-long.json`); `python -m tests.bench.report` makes pages of them.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from psycopg.conninfo import make_conninfo

from deploy.local.stack import Stack
from shared.postgres.provision import provision
from tests.bench import flow, http, kafka, post, posted, projection, reads, relay, sizes, store, workers
from tests.bench.entries import accounts_of, filled_store
from tests.bench.goals import GOALS, Goal
from tests.bench.machine import described, say

BUILD = Path(__file__).resolve().parents[2] / "build"
FILLED_HOUSEHOLDS, FILLED_SHARDS = 50_000, 2
FILLED_EVENTS, FILLED_EVENTS_LONG = 1_000_000, 10_000_000
Records = list[dict[str, object]]


def _filled(stack: Stack, events: int = FILLED_EVENTS, shards: int = FILLED_SHARDS) -> str:
    """Return the superuser's DSN on a ledger's database with so many events in equal shards, filled once per run."""
    database = f"piperoll_filled_bench_{shards}"
    provision(stack.admin_dsn, "ledger", shards, database=database)
    dsn = make_conninfo(stack.admin_dsn, dbname=database)
    for shard in range(shards):
        filled_store(dsn, events // shards, accounts_of(FILLED_HOUSEHOLDS, shard, shards), shard)
    return dsn


BENCHES: dict[str, Callable[[Stack], Records]] = {
    "post": lambda stack: post.run(stack.admin_dsn),
    "sizes": sizes.run,
    "kafka": lambda stack: kafka.run(stack, BUILD),
    "relay": lambda stack: relay.run(stack, _filled(stack)),
    "projection": lambda stack: projection.run(_filled(stack), FILLED_EVENTS, FILLED_HOUSEHOLDS),
    "read": lambda stack: reads.run(stack, BUILD, _filled(stack), FILLED_HOUSEHOLDS, FILLED_SHARDS),
}
"""On PostgreSQL, a broker and an identity provider, without services."""
WHOLE: dict[str, Callable[[Stack], Records]] = {
    "flow": flow.run,
    "posted": lambda stack: posted.run(stack, BUILD),
    "http": lambda stack: http.run(stack, BUILD),
}
"""On the whole stack, the services in it."""
ONE_SHARD: dict[str, Callable[[Stack], Records]] = {"posted_64": lambda stack: posted.run(stack, BUILD)}
"""On the whole stack with one shard per service."""
LONG: dict[str, Callable[[Stack], Records]] = {
    "growth": lambda stack: post.run_long(stack.admin_dsn),
    "cold_start": lambda stack: workers.cold_start(_filled(stack, FILLED_EVENTS_LONG, 1)),
}
"""On a log of 10,000,000 events."""
ALONE: dict[str, Callable[[], Records]] = {"store": store.run}


def main() -> int:
    """Run the benches that are named (all of `make bench` by default); exit 1 where a floor does not hold."""
    parser = argparse.ArgumentParser(prog="tests.bench")
    usual = [*ALONE, *BENCHES, *WHOLE, *ONE_SHARD]
    parser.add_argument("names", nargs="*", choices=[*usual, *LONG, []], help="default: all but the long ones")
    parser.add_argument("--long", action="store_true", help="the long ones")
    arguments = parser.parse_args()
    names = arguments.names or ([*LONG] if arguments.long else usual)
    BUILD.mkdir(exist_ok=True)
    began = time.monotonic()
    records: Records = []
    for name in names:
        if name in ALONE:
            records += _timed(name, ALONE[name])
    records += _on_a_stack(names, {**BENCHES, **LONG}, ("postgres", "kafka", "identity"))
    records += _on_a_stack(names, WHOLE, None)
    records += _on_a_stack(names, ONE_SHARD, None, {"PIPEROLL_SHARDS": "1"})
    told = {"machine": described(), "records": records}
    file = BUILD / ("bench-long.json" if arguments.long else "bench.json")
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    held = _tell(records)
    say(f"all of it: {time.monotonic() - began:.0f} s")
    return held


def _on_a_stack(
    names: Sequence[str],
    benches: dict[str, Callable[[Stack], Records]],
    only: Sequence[str] | None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Records:
    records: Records = []
    wanted = [name for name in names if name in benches]
    if wanted:
        with _stack(only, settings) as stack:
            for name in wanted:
                records += _timed(name, lambda name=name: benches[name](stack))  # type: ignore[misc]
    return records


@contextmanager
def _stack(only: Sequence[str] | None, settings: Mapping[str, str]) -> Iterator[Stack]:
    settings = {"PIPEROLL_GATEWAY_PROCESSES": "2", "PIPEROLL_STAFF_RATE_PER_MIN": "10000000", **settings}
    with (
        tempfile.TemporaryDirectory(prefix="piperoll-bench-") as state,
        Stack(Path(state), env=settings, only=only) as stack,
    ):
        yield stack


def _timed(name: str, run: Callable[[], Records]) -> Records:
    began = time.monotonic()
    records = run()
    say(f"{name}: {time.monotonic() - began:.0f} s")
    return records


def _tell(records: Records) -> int:
    missed = 0
    print(f"{'name':22}{'value':>13} {'unit':12}{'spread':>19}{'baseline':>12}{'ratio':>9}   floor, goal")
    for line in records:
        runs = line["runs"]
        assert isinstance(runs, list)
        goal = GOALS.get(str(line["name"]))
        held, said = (True, "") if goal is None else _judged(line, goal)
        missed += not held
        spread = f"{min(runs):,g} to {max(runs):,g}"
        print(
            f"{line['name']:22}{line['value']:>13,} {line['unit']:12}{spread:>19}{line['baseline']!s:>12}"
            f"{line['ratio']!s:>9}   {said}"
        )
    if missed:
        print(f"{missed} floors were missed", file=sys.stderr)
    return 1 if missed else 0


def _judged(line: dict[str, object], goal: Goal) -> tuple[bool, str]:
    """Return whether the floor holds, and what is said of it and of the goal."""
    found = line[goal.field]
    assert isinstance(found, int | float)
    held = goal.met(found, goal.floor)
    said = f"{goal.field} {'<=' if goal.smaller_is_better else '>='} {goal.floor:,g} {'held' if held else 'MISSED'}"
    if goal.goal is not None:
        said += f", goal {goal.goal:,g} {'reached' if goal.met(found, goal.goal) else 'not reached'}"
    return held, said


if __name__ == "__main__":
    sys.exit(main())
