"""`python -m tests.bench.report`: writes tables and plots into docs/performance.md and docs/scale.md.

All figures come from `build/bench.json` and `build/bench-long.json`; the text around the markers is by hand.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench import scale
from tests.bench.drawing import Bar, bars
from tests.bench.goals import GOALS
from tests.bench.machine import say

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PLOTS = DOCS / "plots"
FILES = {"bench.json": "make bench", "bench-long.json": "make bench-long"}
MOST_TIMES = 2.0
Figures = Mapping[str, Mapping[str, Any]]

PEERS = {
    "post.callers_1": "TigerBeetle by its Python client 900",
    "post.callers_16": "TigerBeetle by its Python client 4,600",
    "post.callers_64": "TigerBeetle by its Python client 6,400; pgledger 1,400",
    "post.callers_256": "TigerBeetle by its Python client 8,400",
    "post.hot_ratio": "Formance 0.56, Blnk 0.36, pgledger 0.29",
    "flow.posted_64": "Formance 194, Blnk 547 (one post each, two legs)",
    "read.balance_16": "Blnk 3,425, Formance 436",
    "read.last20_16": "Blnk 1,166, Formance 26",
    "store.bytes": "Blnk 2,200, Formance 3,700 (per transfer of two legs)",
    "store.wal_bytes": "Blnk 3,700, Formance 6,000 (per transfer of two legs)",
}
"""Measured on the machine of the same size, each with client and database on the same two cores."""


def main() -> int:
    """Write the pages; 1 where nothing was measured yet."""
    build = ROOT / "build"
    for file, command in FILES.items():
        if not (build / file).exists():
            say(f"report: build/{file} is not there: `{command}` measures what is marked as not measured")
    machine, figures = measured(build)
    if not figures:
        return 1
    PLOTS.mkdir(exist_ok=True)
    for name, drawing in plots(figures).items():
        (PLOTS / f"{name}.svg").write_text(drawing, encoding="utf-8")
    fill(DOCS / "performance.md", "machine", "\n".join(f"- {what}: {value}" for what, value in machine.items()))
    fill(DOCS / "performance.md", "figures", table(figures))
    values = {name: float(line["value"]) for name, line in figures.items()}
    fill(DOCS / "scale.md", "measured", scale.measured_table(values))
    fill(DOCS / "scale.md", "derived", scale.derived_table(values))
    return 0


def measured(build: Path) -> tuple[Mapping[str, str], Figures]:
    """Return the machine and all figures by name, those of the long run among them."""
    machine: dict[str, str] = {}
    figures: dict[str, Mapping[str, Any]] = {}
    for file in FILES:
        path = build / file
        if path.exists():
            told = json.loads(path.read_text(encoding="utf-8"))
            machine |= told["machine"]
            figures |= {line["name"]: line for line in told["records"]}
    return machine, figures


def table(figures: Figures) -> str:
    """Return what must hold first, in the order of the goals, measured or not, then what else was measured."""
    lines = ["| figure | value | three runs | baseline | floor | goal | peers on such a machine |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in [*GOALS, *(name for name in figures if name not in GOALS)]:
        line, goal = figures.get(name), GOALS.get(name)
        if line is None:
            floor, goal_text = (_number(limit) if limit is not None else "" for limit in GOALS[name][:2])
            lines.append(f"| `{name}` | not measured | | | {floor} | {goal_text} | {PEERS.get(name, '')} |")
            continue
        floor = goal_text = ""
        if goal is not None:
            found = float(line[goal.field])
            floor = f"{_number(goal.floor)} {'held' if goal.met(found, goal.floor) else '**missed**'}"
            if goal.goal is not None:
                goal_text = f"{_number(goal.goal)} {'reached' if goal.met(found, goal.goal) else 'not yet'}"
        ratio = "" if line["ratio"] is None else f"{_number(float(line['baseline']))} (x {line['ratio']:.3g})"
        runs: Sequence[float] = line["runs"]
        spread = f"{_number(min(runs))} to {_number(max(runs))}"
        value = f"{_number(float(line['value']))} {line['unit']}"
        lines.append(f"| `{name}` | {value} | {spread} | {ratio} | {floor} | {goal_text} | {PEERS.get(name, '')} |")
    return "\n".join(lines)


def plots(figures: Figures) -> dict[str, str]:
    """Return the drawings by name, each only where its figures are there."""
    drawn = {
        "goals": _against_goals(figures),
        "posts": _beside_peers(
            figures, "flow.posted_64", "One post over HTTP, 64 connections", "per second, client included",
            (("Blnk", 547), ("Formance", 194)),
        ),
        "callers": _beside_peers(
            figures, "post.callers_64", "64 callers, each waiting for its own answer", "per second, no HTTP",
            (("TigerBeetle, Python client", 6_400), ("pgledger", 1_436)),
        ),
        "bytes": _beside_peers(
            figures, "store.bytes", "On disk, all indexes", "bytes per entry or transfer, shorter is better",
            (("Blnk (2 legs)", 2_200), ("Formance (2 legs)", 3_700)),
        ),
    }  # fmt: skip
    return {name: drawing for name, drawing in drawn.items() if drawing}


def _against_goals(figures: Figures) -> str:
    """Draw each figure as a share of its goal: 1 is reached, more is better, also where a smaller value is."""
    rows = []
    for name, goal in GOALS.items():
        line = figures.get(name)
        if line is None or goal.goal is None:
            continue
        value = float(line["value"])
        share = goal.goal / value if goal.smaller_is_better else value / goal.goal
        floor = goal.goal / goal.floor if goal.smaller_is_better else goal.floor / goal.goal
        said = f"{_number(value)} {line['unit']}"
        rows.append(Bar(name, min(share, MOST_TIMES), said=said, marks=(("floor", floor), ("goal", 1.0))))
    subtitle = "times the goal (yellow); red is the floor; longer is better, times and bytes turned round"
    return bars("Figures against floor and goal", subtitle, rows) if rows else ""


def _beside_peers(figures: Figures, name: str, title: str, subtitle: str, peers: Sequence[tuple[str, float]]) -> str:
    line = figures.get(name)
    if line is None:
        return ""
    rows = [Bar("Piperoll", float(line["value"])), *(Bar(peer, value, "peer") for peer, value in peers)]
    return bars(title, subtitle, rows)


def fill(page: Path, marker: str, text: str) -> None:
    """Put text between `<!-- marker -->` and `<!-- /marker -->`; a page without them raises ValueError."""
    before, _, rest = page.read_text(encoding="utf-8").partition(f"<!-- {marker} -->\n")
    _, end, after = rest.partition(f"<!-- /{marker} -->")
    if not end:
        raise ValueError(f"{page} has no place for {marker}")
    page.write_text(f"{before}<!-- {marker} -->\n{text}\n{end}{after}", encoding="utf-8")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
