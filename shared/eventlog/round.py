"""One round of a writer: what waited, judged, opened and decided in the order in which it came. No I/O.

`gather` judges and opens; the writer looks up the `first_ids` and loads `missing` streams; `decide` adds to a draft.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from shared.decider import Registry
from shared.errors import BadRecord, Conflict, OnHold
from shared.eventlog.command import Answer
from shared.eventlog.cursors import CursorBook, Verdict
from shared.eventlog.desk import Desk, Draft, Item
from shared.eventlog.intake import (
    BEHIND,
    NOBODY,
    Holds,
    Nobody,
    item_of_parked,
    item_of_record,
    let_go_with,
    parked_record,
    parked_stray,
)
from shared.eventlog.ports import Ended, EventRow, Order, Parked, Place, Record, Stray
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

T = TypeVar("T")

AT_ONCE = 64
"""How many are decided before the event loop has its turn, so that a commit under way is not kept waiting."""


class Submission(msgspec.Struct, eq=False):
    """A caller that waits for the answers to its commands, each its own."""

    items: Sequence[Item]
    done: "asyncio.Future[Sequence[Answer | Exception]]"


class Delivery(msgspec.Struct, eq=False):
    """Records of one partition, in order; done when all that follows from them is committed or concerns nobody."""

    records: Sequence[Record | Stray]
    done: "asyncio.Future[None]"


class Orders(msgspec.Struct, eq=False):
    """What people ordered about parked records."""

    orders: Sequence[Order]
    done: "asyncio.Future[None]"


Job = Submission | Delivery | Orders


class Arrived(msgspec.Struct):
    """A record that is the next of its chain (or a stray one): what it asks, or why it cannot be asked."""

    parked: Parked
    asks: Item | Nobody
    refused: str = ""


class LetGo(msgspec.Struct):
    """One parked record that is to be dropped, or decided after all; `asks` is Nobody where it must be dropped."""

    parked: Parked
    drop: bool
    asks: Item | Nobody = NOBODY


class Round:
    """The steps of one round. What it decides counts at once, in the desk, the book and the holds."""

    def __init__(self, registry: Registry, desk: Desk, draft: Draft, book: CursorBook, holds: Holds) -> None:
        self._registry = registry
        self._desk = desk
        self._draft = draft
        self._book = book
        self._holds = holds
        self._steps: list[Arrived | Submission | LetGo] = []
        self._ordered: set[Place] = set()
        self._stuck: set[str] = set()
        self._records: Counter[tuple[str, str]] = Counter()
        self._said: Counter[str] = Counter()
        self.answers: list[tuple[Submission, list[Answer | Exception]]] = []

    def gather(self, jobs: Sequence[Job], now: float) -> None:
        """Judge records against their chains and open them; `now` is monotonic, in seconds.

        Orders come first: what a release lets go stood before all that comes now.
        """
        for job in sorted(jobs, key=lambda job: not isinstance(job, Orders)):
            match job:
                case Submission():
                    self._steps.append(job)
                case Delivery():
                    for record in job.records:
                        self._arrive(record, now)
                case Orders():
                    for order in job.orders:
                        self._obey(order)

    def _arrive(self, record: Record | Stray, now: float) -> None:
        if isinstance(record, Stray):
            self._records[record.topic, "stray"] += 1
            parked = parked_stray(record)
            if not self._holds.knows(parked):
                self._steps.append(Arrived(parked, NOBODY, record.cause))
            return
        verdict = self._book.take(record, now)
        self._records[record.topic, verdict.value] += 1
        if verdict is not Verdict.APPLY:
            return
        try:
            asks, refused = item_of_record(self._registry, record), ""
        except BadRecord as error:
            asks, refused = NOBODY, error.cause
        if refused or isinstance(asks, Item):
            self._steps.append(Arrived(parked_record(record, refused), asks, refused))

    def _obey(self, order: Order) -> None:
        place = (order.topic, order.source_shard, order.position)
        queue = [one for one in self._holds.queue_of(*place) if one.place not in self._ordered]
        if not queue or place in self._ordered:
            log.warning("order_without_parked_record", topic=order.topic, position=order.position, order=order.how)
        elif queue[0].place != place and order.how == "released":
            log.warning("order_out_of_turn", topic=order.topic, position=order.position, key=queue[0].key)
        else:
            self._steps.extend(self._let_go(queue, place, drop=order.how == "dropped"))

    def _let_go(self, queue: Sequence[Parked], place: Place, *, drop: bool) -> list[LetGo]:
        """Return the ordered record and those that go with it."""
        steps: list[LetGo] = []
        for parked in let_go_with(queue, place):
            ordered = parked.place == place
            try:
                steps.append(LetGo(parked, drop and ordered, self._asks_of(parked, drop=drop and ordered)))
            except BadRecord as error:
                log.warning(
                    "parked_record_still_refused", topic=parked.topic, position=parked.position, cause=error.cause
                )
                break
        self._ordered.update(step.parked.place for step in steps)
        return steps

    def _asks_of(self, parked: Parked, *, drop: bool) -> Item | Nobody:
        return NOBODY if drop else item_of_parked(self._registry, parked)

    def missing(self) -> list[str]:
        """Return the streams to load before deciding."""
        return self._desk.missing(self._items())

    def _items(self) -> Iterator[Item]:
        for step in self._steps:
            if isinstance(step, Submission):
                yield from step.items
            elif isinstance(step.asks, Item):
                yield step.asks

    def decide(self, known: Mapping[bytes, EventRow]) -> Iterator[None]:
        """Decide every step in order into the draft; `known` are stored events by id. Yields every `AT_ONCE` steps."""
        done = 0
        for step in self._steps:
            match step:
                case Arrived():
                    self._decide_arrived(step)
                case LetGo():
                    self._decide_let_go(step)
                case Submission():
                    answers: list[Answer | Exception] = []
                    self.answers.append((step, answers))
                    for item in step.items:
                        answers.append(self._decide_submitted(item, known))
                        done += 1
                        if done % AT_ONCE == 0:
                            yield
                    continue
            done += 1
            if done % AT_ONCE == 0:
                yield
        self._count()

    def _decide_arrived(self, step: Arrived) -> None:
        if self._holds.held(step.parked.key):
            self._park(step.parked, step.refused or BEHIND)
        elif step.refused:
            self._park(step.parked, step.refused)
        elif isinstance(step.asks, Item):
            if unread := self._desk.unread(step.asks.stream):
                self._park(step.parked, unread)
                return
            try:
                self._desk.decide(self._draft, step.asks)
            except Exception as error:
                log.exception("decider_raised", topic=step.parked.topic, position=step.parked.position)
                self._park(step.parked, f"decider_raised: {type(error).__name__}")

    def _park(self, parked: Parked, cause: str) -> None:
        parked = msgspec.structs.replace(parked, cause=cause)
        self._draft.parked.append(parked)
        self._holds.add([parked])

    def _decide_let_go(self, step: LetGo) -> None:
        parked = step.parked
        if parked.key in self._stuck:
            return
        if isinstance(step.asks, Item):
            if self._desk.unread(step.asks.stream):
                self._stuck.add(parked.key)
                return
            try:
                self._desk.decide(self._draft, step.asks)
            except Exception:
                log.exception("released_record_raised_again", topic=parked.topic, position=parked.position)
                self._stuck.add(parked.key)
                return
        self._holds.remove([parked.place])
        self._draft.ended.append(
            Ended(parked.topic, parked.source_shard, parked.position, "dropped" if step.drop else "released")
        )

    def _decide_submitted(self, item: Item, known: Mapping[bytes, EventRow]) -> Answer | Exception:
        first = known.get(item.first_id) or self._draft.keyed.get(item.first_id)
        if first is not None:
            if item.digest is not None and first.digest is not None and item.digest != first.digest:
                self._said["conflict"] += 1
                return Conflict("this key was used for another command", first.stream)
            self._said["repeat"] += 1
            return Answer(shard=first.shard, position=first.position, rows=(first,), replayed=True)
        if self._holds.held(item.stream):
            self._said["on_hold"] += 1
            return OnHold(f"{item.stream} waits behind a parked record")
        if self._desk.unread(item.stream):
            self._said["on_hold"] += 1
            return OnHold(f"{item.stream} holds what this version cannot read")
        try:
            rows = self._desk.decide(self._draft, item)
        except Exception as error:
            log.exception("decider_raised", command=item.cause.type, stream=item.stream)
            self._said["fault"] += 1
            return error
        self._said["decided"] += 1
        if rows:
            self._draft.keyed[item.first_id] = rows[0]
        return Answer(shard=self._desk.shard, position=self._desk.next_position - 1, rows=rows)

    def _count(self) -> None:
        service, shard = self._registry.service, str(self._desk.shard)
        for (topic, verdict), count in self._records.items():
            metrics.RECORDS.labels(service, topic, verdict).inc(count)
        for said, count in self._said.items():
            metrics.COMMANDS.labels(service, shard, said).inc(count)


def first_ids(jobs: Sequence[Job]) -> list[bytes]:
    """Return the ids under which a first call of each submitted command would be stored."""
    return [item.first_id for job in jobs if isinstance(job, Submission) for item in job.items]


def weight(job: Job) -> int:
    """Return how many commands and records a job holds."""
    match job:
        case Submission():
            return len(job.items)
        case Delivery():
            return len(job.records)
        case Orders():
            return len(job.orders)


def settle(done: "asyncio.Future[T]", answer: T) -> None:
    """Hand a caller its answer, unless it has gone."""
    if not done.done():
        done.set_result(answer)


def fail(job: Job, error: Exception) -> None:
    """Tell a job's caller that it was not done."""
    if not job.done.done():
        job.done.set_exception(error)
