"""Pages of what was measured: only what stands between markers is written anew, and each need comes from a figure."""

from pathlib import Path

import pytest

from tests.bench.drawing import Bar, bars
from tests.bench.goals import GOALS
from tests.bench.machine import percentile, record
from tests.bench.report import fill, table
from tests.bench.scale import HOUSEHOLDS, derived_table, measured_table, needs

VALUES = {
    "kafka.one_partition": 20_000.0, "kafka.record_bytes": 1_300.0, "store.bytes": 500.0, "store.wal_bytes": 700.0,
    "worker.memory": 300.0, "projection.rebuild": 200_000.0, "relay.catch_up": 60_000.0,
}  # fmt: skip


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- here -->\nold\n<!-- /here -->\nafter\n", encoding="utf-8")
    fill(page, "here", "new")
    fill(page, "here", "newer")
    assert page.read_text(encoding="utf-8") == "before\n<!-- here -->\nnewer\n<!-- /here -->\nafter\n"
    with pytest.raises(ValueError, match="no place"):
        fill(page, "elsewhere", "lost")


def test_the_table_says_whether_floor_and_goal_are_met() -> None:
    held = record("store.bytes", "bytes/entry", [499.0, 498.0, 500.0], 2_200.0)
    missed = record("flow.posted_64", "transfers/s", [80.0, 90.0, 70.0])
    rows = {row.split("`")[1]: row for row in table({"flow.posted_64": missed, "store.bytes": held}).splitlines()[2:]}
    assert "**missed**" in rows["flow.posted_64"]
    assert "not yet" in rows["flow.posted_64"]
    assert "1,150 held | 700 reached" in rows["store.bytes"]
    assert rows["worker.cold_start"] == "| `worker.cold_start` | not measured | | | 1 | 0.3 |  |"


@pytest.mark.parametrize("name", sorted(GOALS))
def test_a_goal_is_never_easier_than_its_floor(name: str) -> None:
    goal = GOALS[name]
    assert goal.goal is None or goal.met(goal.goal, goal.floor)


def test_ten_times_the_households_need_ten_times_the_entries_and_never_less_of_anything() -> None:
    columns = [needs(households, VALUES) for households in HOUSEHOLDS]
    assert [column["entries a year"][0] for column in columns] == ["53 M", "528 M", "5,280 M"]
    for name in ("ledger workers", "PostgreSQL servers after a year", "brokers after a year", "shards at creation"):
        counts = [int(column[name][0]) for column in columns]
        assert counts == sorted(counts)


def test_a_need_is_shown_with_the_figures_that_it_was_reckoned_from() -> None:
    page = derived_table(VALUES)
    assert "- entries/s in the busiest hour: 10,000,000 x 4.4 x 5% / 3,600 = **611**" in page
    assert "- PostgreSQL, all logs, a year: 10,000,000 x 12 x 13.9 x 500 bytes = **0.83 TB**" in page


def test_a_measured_figure_that_is_not_there_says_so() -> None:
    assert "| `kafka.one_partition` | 20,000 |" in measured_table(VALUES)
    assert "| `post.two_shards.ratio` | not measured |" in measured_table(VALUES)


def test_what_was_not_measured_is_not_reckoned() -> None:
    assert derived_table(VALUES).startswith("| |")
    assert "store.bytes" in derived_table({name: one for name, one in VALUES.items() if name != "store.bytes"})


def test_a_ratio_is_that_of_a_run_with_its_own_baseline() -> None:
    line = record("x", "per s", [10.0, 30.0, 20.0], [10.0, 10.0, 40.0])
    assert (line["value"], line["baseline"], line["ratio"]) == (20.0, 10.0, 1.0)
    assert record("x", "ms", [5.0])["ratio"] is None


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0, 50, 99)] == [1.0, 2.0, 3.0]


def test_a_chart_has_a_bar_per_row_and_escapes_its_words() -> None:
    drawn = bars("a < b", "", [Bar("one & two", 1.0), Bar("three", 2.0, "peer", marks=(("goal", 3.0),))])
    assert drawn.count("<rect") == 3
    assert "one &amp; two" in drawn
    assert "a &lt; b" in drawn
