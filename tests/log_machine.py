"""One shard and all who ever held it: any order of takeovers, commits, lost answers and records leaves one true log.

The machine runs real writers over any store. Those that lost the shard are not told: they go on until the fence stops
them, as a process does that stood still. Between two rules the event loop stands still; so a rule may find commits
half way.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared import faults
from shared.clock import SystemClock
from shared.errors import OwnFault, StoreDown, WorldFault
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import EventRow, Record, Store
from shared.eventlog.writer import Writer
from shared.faults import Point
from shared.ids import event_id, root_of_record
from tests.unit.shared.test_writer import REGISTRY, ZONE, Upstream, submitted

COMMANDS = 8
RECORDS = 12
MOST_WRITERS = 4
SETTLED_WITHIN_S = 30.0
LOST = [Point.STORE_BEFORE_COMMIT, Point.STORE_IN_COMMIT, Point.STORE_AFTER_COMMIT]

numbers = st.integers(0, 1_000)


class Slow:
    """A store whose every question and answer is under way for a while, so that holders get in each other's way."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self._store = store
        self._chance = chance

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._store, name)

        async def slowly(*arguments: Any) -> Any:
            await self._wait()
            try:
                return await ask(*arguments)
            finally:
                await self._wait()

        return slowly

    async def _wait(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)


class Commands:
    """Commands that callers repeat, to whomever they take for the holder, until they have an answer."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    @staticmethod
    def of(number: int) -> Submitted:
        return submitted(f"key-{number}", f"acc_{number % 3}")

    async def submit(self, writer: Writer, number: int) -> None:
        try:
            self.answers.append(await writer.submit(self.of(number)))
        except (WorldFault, OwnFault):
            pass  # not known: the caller repeats it


class Subject(Protocol):
    """One shard that nobody has used yet, as the machine sees it."""

    shard: int

    def process(self) -> Store:
        """Return the store of one further process."""
        ...

    def lose_commit(self, *, stored: bool) -> None:
        """Leave the next commit unanswered."""
        ...

    async def read(self) -> tuple[Sequence[EventRow], int]:
        """Return all events and the epoch."""
        ...

    async def wait(self) -> None:
        """Let a moment go by."""
        ...

    async def close(self) -> None: ...


class LogMachine(RuleBasedStateMachine):
    """Rules of what may happen to a shard, and what holds of its log whatever happened."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject
        self._runner = asyncio.Runner()
        self._writers: list[Writer] = []
        self._running: list[asyncio.Task[None]] = []
        self._taken_at: list[int] = []
        self._added_by: list[list[int]] = []
        self._asked: set[asyncio.Task[None]] = set()
        self._commands = Commands()
        self._records = _chain()
        self._epoch = 0
        self._seen: Sequence[EventRow] = ()

    @initialize(seed=numbers)
    def begin(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._do(self._take_over())

    @precondition(lambda self: len(self._writers) < MOST_WRITERS)
    @rule()
    def another_takes_the_shard(self) -> None:
        self._do(self._take_over())

    @rule(who=numbers, number=st.integers(0, COMMANDS - 1))
    def a_command_is_submitted(self, who: int, number: int) -> None:
        self._ask(self._commands.submit(self._writers[who % len(self._writers)], number))

    @rule(who=numbers, first=st.integers(0, RECORDS - 1), count=st.integers(1, RECORDS))
    def records_are_delivered(self, who: int, first: int, count: int) -> None:
        self._ask(_deliver(self._writers[who % len(self._writers)], self._records[first : first + count]))

    @rule(point=st.sampled_from(LOST))
    def the_next_commit_fails_or_its_answer_is_lost(self, point: Point) -> None:
        faults.arm(point)

    @rule(stored=st.booleans())
    def the_next_commit_is_not_answered(self, stored: bool) -> None:
        self._subject.lose_commit(stored=stored)

    @rule(steps=st.integers(1, 20))
    def time_goes_by(self, steps: int) -> None:
        self._do(self._steps(steps))

    @rule()
    def all_that_was_asked_is_answered(self) -> None:
        self._do(self._settled())

    @invariant()
    def the_log_only_grows_and_every_answer_stands(self) -> None:
        if not self._writers:
            return
        answers, added_by = list(self._commands.answers), [max(added, default=0) for added in self._added_by]
        rows, epoch = self._do(self._subject.read())  # what is told before must stand in what is read after
        assert list(rows[: len(self._seen)]) == list(self._seen), "what is stored is never changed"
        assert epoch >= self._epoch, "an epoch never falls"
        self._seen, self._epoch = rows, epoch
        for writer, last in enumerate(added_by):
            assert last <= min(self._taken_at[writer + 1 :], default=last), "who lost the shard adds nothing more"
        for answer in answers:
            for row in answer.rows:
                assert rows[row.position - 1] == row, "what was acknowledged stands where it was said to stand"

    def teardown(self) -> None:
        try:
            if self._writers:
                self._do(self._settled())
                self._do(self._finish())
                self._check()
        finally:
            faults.disarm_all()
            self._do(self._end())
            self._runner.close()

    def _check(self) -> None:
        """Look at the whole log, now that the last holder has decided everything."""
        rows, _ = self._do(self._subject.read())
        held, cursors = self._do(self._places())
        assert [row.position for row in rows] == list(range(1, held.next_position)), "no gap, no position twice"
        assert held.head == extend(b"", 0, [leaf_hash(row.data) for row in rows]), "the tree is that of the leaves"
        versions: Counter[str] = Counter()
        for row in rows:
            versions[row.stream] += 1
            assert row.version == versions[row.stream], "versions have no gap"
        wanted = [Commands.of(number).root for number in range(COMMANDS)]
        wanted += [root_of_record("gateway", 0, record.position) for record in self._records]
        stored = Counter(row.event_id for row in rows)
        assert stored == Counter(event_id(root, 0) for root in wanted), "each is there exactly once"
        assert [(cursor.position, cursor.hash) for cursor in cursors] == [
            (self._records[-1].position, leaf_hash(self._records[-1].value))
        ]
        decided = [row.event_id for row in rows if row.event_id in set(_ids(self._records))]
        assert decided == _ids(self._records), "records are decided in the order of their chain"

    async def _take_over(self) -> None:
        store: Any = Slow(self._subject.process(), self._chance)
        added: list[int] = []
        writer = Writer(
            REGISTRY, self._subject.shard, store, SystemClock(), ZONE,
            lambda rows: added.extend(row.position for row in rows),
        )  # fmt: skip
        while True:
            try:
                await writer.take_over()
                break
            except WorldFault:
                continue
        self._writers.append(writer)
        self._added_by.append(added)
        self._taken_at.append(writer.position)
        self._running.append(asyncio.get_running_loop().create_task(writer.run()))

    async def _finish(self) -> None:
        """Have a last holder decide all commands and records, whatever became of them before."""
        faults.disarm_all()
        await self._take_over()
        last = self._writers[-1]
        for number in range(COMMANDS):
            self._commands.answers.append(await last.submit(Commands.of(number)))
        await last.submit_batch(self._records)
        await last.stop()
        await self._running[-1]

    async def _settled(self) -> None:
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while self._asked:
                await asyncio.wait(self._asked)

    async def _places(self) -> tuple[Any, Any]:
        store = self._subject.process()
        cursors = await store.cursors(self._subject.shard)
        return await store.take_over(self._subject.shard), cursors

    async def _steps(self, steps: int) -> None:
        for _ in range(steps):
            await self._subject.wait()

    async def _end(self) -> None:
        for task in (*self._asked, *self._running):
            task.cancel()
        await asyncio.gather(*self._asked, *self._running, return_exceptions=True)
        await self._subject.close()

    def _ask(self, question: Any) -> None:
        async def begin() -> None:
            task = asyncio.get_running_loop().create_task(question)
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

        self._do(begin())

    def _do(self, work: Any) -> Any:
        return self._runner.run(work)


async def _deliver(writer: Writer, records: Sequence[Record]) -> None:
    try:
        await writer.submit_batch(records)
    except (StoreDown, OwnFault):
        pass  # not known: whoever reads the topic next delivers them again


def _chain() -> list[Record]:
    upstream = Upstream()
    return [upstream.record(f"acc_{number % 3}") for number in range(RECORDS)]


def _ids(records: Sequence[Record]) -> list[bytes]:
    return [event_id(root_of_record("gateway", 0, record.position), 0) for record in records]
