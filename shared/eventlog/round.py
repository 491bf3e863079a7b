"""One round of a writer: what waited, judged, opened and decided in the order in which it came. No I/O.

`gather` judges and opens, then the writer looks up `keys` and loads `missing` streams, then `decide` fills a draft.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
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
from shared.ids import event_id
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

T = TypeVar("T")


class Submission(msgspec.Struct, eq=False):
    """A caller that waits for the answer to one command."""

    item: Item
    done: "asyncio.Future[Answer]"


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
    """One parked record that is to be dropped, or decided after all; `asks` is None where it must be dropped."""

    parked: Parked
    drop: bool
    asks: Item | Nobody = NOBODY


class Round:
    """The steps of one round, and in the end its draft and the answers of its submissions."""

    def __init__(self, registry: Registry, desk: Desk, book: CursorBook, holds: Holds) -> None:
        self._registry = registry
        self._desk = desk
        self._book = book
        self._holds = holds
        self._steps: list[Arrived | Submission | LetGo] = []
        self._held_now: set[str] = set()
        self._ordered: set[Place] = set()
        self._ended: set[Place] = set()
        self.answers: list[tuple[Submission, Answer | Exception]] = []

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
            self._count(record.topic, "stray")
            parked = parked_stray(record)
            if not self._holds.knows(parked):
                self._steps.append(Arrived(parked, NOBODY, record.cause))
            return
        verdict = self._book.take(record, now)
        self._count(record.topic, verdict.value)
        if verdict is not Verdict.APPLY:
            return
        try:
            asks, refused = item_of_record(self._registry, record), ""
        except BadRecord as error:
            asks, refused = NOBODY, error.cause
        if refused or isinstance(asks, Item):
            self._steps.append(Arrived(parked_record(record, refused), asks, refused))

    def _count(self, topic: str, verdict: str) -> None:
        metrics.RECORDS.labels(self._registry.service, topic, verdict).inc()

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

    def keys(self) -> list[bytes]:
        """Return the ids under which a first call of each submitted command would be stored."""
        return [event_id(step.item.root, 0) for step in self._steps if isinstance(step, Submission)]

    def missing(self) -> list[str]:
        """Return the streams to load before deciding."""
        items = [step.item if isinstance(step, Submission) else step.asks for step in self._steps]
        return self._desk.missing([item for item in items if isinstance(item, Item)])

    def decide(self, now: datetime, found: Mapping[bytes, EventRow]) -> Draft:
        """Decide every step in order and return what is to be stored."""
        draft = self._desk.draft(now)
        known = dict(found)
        stuck: set[str] = set()
        for step in self._steps:
            match step:
                case Arrived():
                    self._decide_arrived(draft, step)
                case LetGo():
                    self._decide_let_go(draft, step, stuck)
                case Submission():
                    answer = self._decide_submission(draft, step, known)
                    self.answers.append((step, answer))
                    metrics.COMMANDS.labels(self._registry.service, str(self._desk.shard), _said(answer)).inc()
        return draft

    def _decide_arrived(self, draft: Draft, step: Arrived) -> None:
        key = step.parked.key
        if key in self._held_now or self._holds.held(key, self._ended):
            self._park(draft, step.parked, step.refused or BEHIND)
        elif step.refused:
            self._park(draft, step.parked, step.refused)
        elif isinstance(step.asks, Item):
            if unread := self._desk.unread(step.asks.stream):
                self._park(draft, step.parked, unread)
                return
            try:
                self._desk.decide(draft, step.asks)
            except Exception as error:
                log.exception("decider_raised", topic=step.parked.topic, position=step.parked.position)
                draft.doubtful.add(step.asks.stream)
                self._park(draft, step.parked, f"decider_raised: {type(error).__name__}")

    def _park(self, draft: Draft, parked: Parked, cause: str) -> None:
        draft.parked.append(msgspec.structs.replace(parked, cause=cause))
        if parked.key:
            self._held_now.add(parked.key)

    def _decide_let_go(self, draft: Draft, step: LetGo, stuck: set[str]) -> None:
        parked = step.parked
        if parked.key in stuck:
            return
        if isinstance(step.asks, Item):
            if self._desk.unread(step.asks.stream):
                stuck.add(parked.key)
                return
            try:
                self._desk.decide(draft, step.asks)
            except Exception:
                log.exception("released_record_raised_again", topic=parked.topic, position=parked.position)
                draft.doubtful.add(step.asks.stream)
                stuck.add(parked.key)
                return
        self._ended.add(parked.place)
        draft.ended.append(
            Ended(parked.topic, parked.source_shard, parked.position, "dropped" if step.drop else "released")
        )

    def _decide_submission(self, draft: Draft, step: Submission, known: dict[bytes, EventRow]) -> Answer | Exception:
        item = step.item
        identity = event_id(item.root, 0)
        first = known.get(identity)
        if first is not None:
            if item.digest is not None and first.digest is not None and item.digest != first.digest:
                return Conflict("this key was used for another command", first.stream)
            return Answer(shard=first.shard, position=first.position, rows=(first,), replayed=True)
        if item.stream in self._held_now or self._holds.held(item.stream, self._ended):
            return OnHold(f"{item.stream} waits behind a parked record")
        if self._desk.unread(item.stream):
            return OnHold(f"{item.stream} holds what this version cannot read")
        try:
            rows = self._desk.decide(draft, item)
        except Exception as error:
            log.exception("decider_raised", command=item.cause.type, stream=item.stream)
            draft.doubtful.add(item.stream)
            return error
        if rows:
            known[identity] = rows[0]
        position = rows[-1].position if rows else self._desk.next_position - 1
        return Answer(shard=self._desk.shard, position=position, rows=rows)


def _said(answer: Answer | Exception) -> str:
    match answer:
        case Answer():
            return "repeat" if answer.replayed else "decided"
        case Conflict():
            return "conflict"
        case OnHold():
            return "on_hold"
        case _:
            return "fault"


def weight(job: Job) -> int:
    """Return how many commands and records a job holds."""
    match job:
        case Submission():
            return 1
        case Delivery():
            return len(job.records)
        case Orders():
            return len(job.orders)


def settle(done: "asyncio.Future[T]", answer: T | Exception) -> None:
    """Hand a caller its answer, unless it has gone."""
    if done.done():
        return
    if isinstance(answer, Exception):
        done.set_exception(answer)
    else:
        done.set_result(answer)


def fail(job: Job, error: Exception) -> None:
    """Tell a job's caller that it was not done."""
    if not job.done.done():
        job.done.set_exception(error)
