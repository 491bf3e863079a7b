"""Deliveries over the store in memory: sent once, marked once, tried again while the world is at fault."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.notifier.channels.render import Texts
from services.notifier.channels.smtp import MailNotTaken, MailRefused
from services.notifier.effects import runner as runner_module
from services.notifier.effects.delivery import Delivery, Sender
from services.notifier.effects.open_notices import OpenNotices
from services.notifier.effects.runner import NoticeRunner
from services.notifier.handlers import REGISTRY
from shared.clock import ManualClock
from shared.contracts.envelope import open_fact
from shared.contracts.event import Actor, Event
from shared.contracts.notifier import InvoiceNoted, NoticeEnded, NoticeSent
from shared.errors import StoreDown
from shared.eventlog.command import Submitted
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import EventRow
from shared.eventlog.readable import Readable
from shared.eventlog.writer import Writer
from shared.faults import Point, arm, disarm_all
from shared.ids import root_of_record
from shared.people.sealing import Erased
from tests.older import older_version
from tests.unit.notifier.story import DECLINED, ISSUED, OPENED, SETTLED

TEXTS = Texts()
SENDER = Sender("no-reply@piperoll.invalid", "Health Exchange", "piperoll.invalid")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Post:
    """A mail server in memory: `answers` are given first, then it takes everything."""

    def __init__(self, *answers: Exception) -> None:
        self.answers = list(answers)
        self.taken: list[bytes] = []

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        await asyncio.sleep(0)
        if self.answers:
            raise self.answers.pop(0)
        self.taken.append(message)

    def message_ids(self) -> list[str]:
        return [line[12:] for one in self.taken for line in one.decode().split("\r\n") if line.startswith("Message-ID")]


class People:
    """Everybody has the same name; `broken` is raised instead."""

    def __init__(self, broken: Exception | None = None, email: str = "zoe@example.org") -> None:
        self.broken = broken
        self.email = email

    async def get(self, tenant: str, member_id: str, versions: Mapping[str, int]) -> dict[str, str]:
        if self.broken is not None:
            raise self.broken
        return {"name": "Zoe", "email": self.email}


class Shard:
    """One shard of the notifier: the real writer over the store in memory and the real runner."""

    def __init__(self, store: MemoryStore, clock: ManualClock, post: Post, people: People) -> None:
        self.store = store
        self.post = post
        self.people = people
        self.clock = clock
        self.writer = Writer(REGISTRY, 0, store, clock, ZoneInfo("America/New_York"), self._committed)
        self.runner = NoticeRunner(0, self.writer, self._load, self._open, self._close, Readable(store, 0))
        self._told = 0

    def _committed(self, rows: Sequence[EventRow]) -> None:
        self.runner.committed(rows)

    async def _load(self) -> OpenNotices:
        notices = OpenNotices()
        for row in await self.store.read(0, 0, 1000):
            notices.take(row)
        return notices

    async def _open(self) -> Delivery:
        return Delivery(self.people, self.post, TEXTS, SENDER, self.clock)

    async def _close(self) -> None:
        return None

    async def tell(self, *facts: Event) -> None:
        for fact in facts:
            self._told += 1
            root = root_of_record("billing", 0, 1000 * self.writer.epoch + self._told)
            submitted = Submitted(
                command=fact, tenant="demo", root=root, actor=Actor("system", "billing"), correlation="c" * 32
            )
            await self.writer.submit(submitted)

    async def outcomes(self) -> list[Event]:
        events = [open_fact(row.data).event for row in await self.store.read(0, 0, 1000)]
        return [event for event in events if isinstance(event, NoticeSent | NoticeEnded)]


@asynccontextmanager
async def shard(post: Post, people: People | None = None, store: MemoryStore | None = None) -> AsyncIterator[Shard]:
    clock = ManualClock(START)
    held = Shard(store or MemoryStore(1, clock=clock), clock, post, people or People())
    await held.writer.take_over()
    running = asyncio.get_running_loop().create_task(held.writer.run())
    await held.runner.start()
    try:
        yield held
    finally:
        await held.runner.stop()
        await held.writer.stop()
        await asyncio.wait([running], timeout=5)
        running.cancel()
        disarm_all()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def ended(held: Shard, count: int) -> list[Event]:
    async with asyncio.timeout(5):
        while len(found := await held.outcomes()) < count:
            await asyncio.sleep(0.005)
    return found


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(runner_module, "LONGEST_WAIT_S", 0.02)


async def test_a_planned_notice_is_sent_and_marked() -> None:
    async with shard(Post()) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeSent)
        assert held.post.message_ids() == [outcome.message_id]
        assert not held.runner.notices or not held.runner.notices.by_id


async def test_a_household_that_a_newer_version_wrote_gets_no_mail_from_an_older_one() -> None:
    store = MemoryStore(1)
    async with shard(Post(MailNotTaken("away"), *[MailNotTaken("away")] * 1000), store=store) as newer:
        await newer.tell(OPENED, ISSUED, SETTLED)
    with older_version(InvoiceNoted):
        async with shard(Post(), store=store) as older:
            await asyncio.sleep(0.1)
            assert older.post.taken == []
    async with shard(Post(), store=store) as newer:
        await ended(newer, 1)
        assert len(newer.post.taken) == 1


async def test_what_is_committed_while_the_open_notices_cannot_be_read_is_not_kept_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "OUR_FAULT_WAIT_S", 0.01)
    async with shard(Post()) as held:
        load, broken = held._load, [True]

        async def unreadable() -> OpenNotices:
            if broken:
                raise ValueError("a damaged index")
            return await load()

        await held.runner.stop()
        held.runner = NoticeRunner(0, held.writer, unreadable, held._open, held._close, Readable(held.store, 0))
        await held.runner.start()
        await held.tell(OPENED, ISSUED, SETTLED)
        await until(lambda: not held.runner._early)
        broken.clear()
        await ended(held, 1)
        assert len(held.post.taken) == 1


async def test_each_notice_of_a_household_is_sent() -> None:
    async with shard(Post()) as held:
        await held.tell(OPENED, ISSUED, *[SETTLED] * 30)
        assert len(await ended(held, 30)) == 30
        assert len(set(held.post.message_ids())) == 30


async def test_a_mail_not_taken_is_tried_again_under_the_same_message_id() -> None:
    post = Post(MailNotTaken("451"), MailNotTaken("away"))
    async with shard(post) as held:
        await held.tell(OPENED, ISSUED, DECLINED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeSent)
        assert post.message_ids() == [outcome.message_id]


async def test_a_crash_between_delivery_and_mark_sends_the_same_message_id_again() -> None:
    async with shard(Post()) as held:
        arm(Point.MAIL_AFTER_SEND)
        await held.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeSent)
        assert held.post.message_ids() == [outcome.message_id] * 2


async def test_a_crash_before_delivery_sends_one_mail() -> None:
    async with shard(Post()) as held:
        arm(Point.MAIL_BEFORE_SEND)
        await held.tell(OPENED, ISSUED, SETTLED)
        await ended(held, 1)
        assert len(held.post.taken) == 1


async def test_a_mail_refused_for_good_ends_its_notice() -> None:
    async with shard(Post(MailRefused(550))) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeEnded)
        assert outcome.reason == "rejected"
        assert held.post.taken == []


async def test_an_address_that_is_none_ends_its_notice() -> None:
    async with shard(Post(), People(email="zoe")) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeEnded)
        assert outcome.reason == "rejected"


async def test_an_erased_member_gets_no_mail() -> None:
    async with shard(Post(), People(Erased("demo", "mem_1"))) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeEnded)
        assert outcome.reason == "erased"
        assert held.post.taken == []


async def test_after_three_days_of_tries_a_notice_is_exhausted() -> None:
    post = Post(*[MailNotTaken("away")] * 100_000)
    async with shard(post) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        await until(lambda: len(post.answers) < 99_998)
        assert await held.outcomes() == []
        held.clock.advance(timedelta(days=3))
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeEnded)
        assert outcome.reason == "exhausted"


async def test_a_person_who_cannot_be_read_now_is_read_later() -> None:
    people = People(StoreDown("away"))
    async with shard(Post(), people) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        await asyncio.sleep(0.05)
        assert await held.outcomes() == []
        people.broken = None
        (outcome,) = await ended(held, 1)
        assert isinstance(outcome, NoticeSent)


async def test_a_fault_of_ours_leaves_the_notice_open_and_others_go_on() -> None:
    people = People(RuntimeError("a bug"))
    async with shard(Post(), people) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
        await asyncio.sleep(0.05)
        people.broken = None
        await held.tell(DECLINED)
        assert len(await ended(held, 1)) == 1
        assert held.runner.notices is not None
        assert len(held.runner.notices.by_id) == 1


async def test_a_new_owner_sends_what_the_old_one_left_open_and_nothing_else() -> None:
    clock = ManualClock(START)
    store = MemoryStore(1, clock=clock)
    async with shard(Post(*[MailNotTaken("away")] * 100_000), store=store) as held:
        await held.tell(OPENED, ISSUED, SETTLED)
    async with shard(Post(), store=store) as held:
        await ended(held, 1)
        assert len(held.post.taken) == 1
    async with shard(Post(), store=store) as held:
        await held.tell(ISSUED)
        await asyncio.sleep(0.05)
        assert held.post.taken == []
