"""`make bench`: every figure and its ratio to a baseline of the same run, into `build/bench.json`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from deploy.local.stack import Stack
from tests.bench import flow, http, store

BUILD = Path(__file__).resolve().parents[2] / "build"
FLOORS = {
    "store.put_1000": ("ratio", 2.0, True),
    "store.copy_ratio": ("value", 0.5, True),
    "http.conn_1": ("value", 250, True),
    "http.conn_64": ("value", 1_200, True),
    "http.conn_64.p99": ("value", 150, False),
    "flow.payments": ("value", 80, True),
    "flow.latency.p50": ("value", 250, False),
    "flow.latency.p99": ("value", 1_000, False),
}


def main() -> int:
    """Run the benches that are named (all by default); exit 1 where a floor does not hold."""
    parser = argparse.ArgumentParser(prog="tests.bench")
    parser.add_argument("names", nargs="*", choices=["store", "http", "flow", []], help="default: all")
    names = parser.parse_args().names or ["store", "http", "flow"]
    BUILD.mkdir(exist_ok=True)
    records: list[dict[str, object]] = []
    if "store" in names:
        records += store.run()
    if "http" in names or "flow" in names:
        settings = {"PIPEROLL_GATEWAY_PROCESSES": "2", "PIPEROLL_STAFF_RATE_PER_MIN": "10000000"}
        with tempfile.TemporaryDirectory(prefix="piperoll-bench-") as state, Stack(Path(state), env=settings) as stack:
            if "flow" in names:
                records += flow.run(stack)
            if "http" in names:
                records += http.run(stack, BUILD)
    (BUILD / "bench.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return _tell(records)


def _tell(records: list[dict[str, object]]) -> int:
    missed = 0
    print(f"{'name':24}{'value':>12} {'unit':12}{'baseline':>12}{'ratio':>9}   floor")
    for line in records:
        floor = FLOORS.get(str(line["name"]))
        said = ""
        if floor is not None:
            field, limit, at_least = floor
            found = line[field]
            assert isinstance(found, int | float)
            held = found >= limit if at_least else found <= limit
            missed += not held
            said = f"{field} {'>=' if at_least else '<='} {limit}: {'held' if held else 'MISSED'}"
        figures = f"{line['name']:24}{line['value']:>12} {line['unit']:12}{line['baseline']!s:>12}{line['ratio']!s:>9}"
        print(f"{figures}   {said}")
    if missed:
        print(f"{missed} floors were missed", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
