"""One call at a time in a lane, a bound on all, nothing forgotten and nothing run twice at once."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.billing.effects.lanes import Lanes

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOST = 3
works = st.sampled_from([f"{lane}{number}" for lane in "abcd" for number in range(3)])


def test_work_runs_when_it_is_due_and_not_before() -> None:
    lanes = Lanes(MOST)
    lanes.at("a1", NOW + timedelta(seconds=5))
    lanes.wake(NOW)
    assert lanes.take() is None
    lanes.wake(NOW + timedelta(seconds=5))
    assert lanes.take() == "a1"


def test_a_later_due_time_replaces_an_earlier_one() -> None:
    lanes = Lanes(MOST)
    lanes.at("a1", NOW)
    lanes.at("a1", NOW + timedelta(seconds=5))
    lanes.wake(NOW + timedelta(seconds=4))
    assert (lanes.take(), lanes.next_due()) == (None, NOW + timedelta(seconds=5))


def test_a_busy_lane_runs_what_waits_for_it_next() -> None:
    lanes = Lanes(MOST)
    for work in ("a1", "a2", "b1"):
        lanes.now(work)
    assert [(work, lanes.start(work, work[0])) for work in iter(lanes.take, None)] == [
        ("a1", True), ("a2", False), ("b1", True),
    ]  # fmt: skip
    lanes.end("a1")
    assert lanes.take() == "a2"


def test_what_is_asked_for_while_it_runs_runs_once_more() -> None:
    lanes = Lanes(MOST)
    lanes.now("a1")
    assert lanes.start(lanes.take() or "", "a")
    lanes.now("a1")
    lanes.now("a1")
    assert lanes.take() is None
    assert lanes.end("a1")


class LanesMachine(RuleBasedStateMachine):
    """Any order of asking, running and ending."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes(MOST)
        self.asked: set[str] = set()
        self.running: set[str] = set()

    @rule(work=works)
    def ask(self, work: str) -> None:
        self.lanes.now(work)
        self.asked.add(work)

    @rule(work=works, wait_s=st.integers(-5, 5))
    def ask_later(self, work: str, wait_s: int) -> None:
        if work not in self.running and work not in self.asked:
            self.lanes.at(work, NOW + timedelta(seconds=wait_s))
            if wait_s <= 0:
                self.asked.add(work)

    @rule()
    def launch(self) -> None:
        self.lanes.wake(NOW)
        while (work := self.lanes.take()) is not None:
            if self.lanes.start(work, work[0]):
                assert work not in self.running
                self.running.add(work)
                self.asked.discard(work)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.running:
            work = data.draw(st.sampled_from(sorted(self.running)))
            self.running.discard(work)
            if self.lanes.end(work):
                self.lanes.now(work)

    @invariant()
    def lanes_hold_one_and_all_hold_a_bound(self) -> None:
        assert len(self.running) == len({work[0] for work in self.running}) == self.lanes.running <= MOST

    def teardown(self) -> None:
        for _ in range(50):
            self.launch()
            for work in sorted(self.running):
                self.running.discard(work)
                if self.lanes.end(work):
                    self.lanes.now(work)
                    self.asked.add(work)
        assert self.asked == set()


LanesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLanesInAnyOrder = LanesMachine.TestCase
