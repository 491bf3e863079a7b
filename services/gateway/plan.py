"""What one commit of the gateway holds: the waiting requests, as rows of their shards, and the answer to each."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from services.gateway.statements import REQUEST, Listed, request_row
from shared.clock import Clock, rfc3339
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor, Event
from shared.errors import Conflict
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.ports import Batch, EventRow, Held, Mode, SideRows
from shared.ids import Root


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to become event 0 of its root, in a stream of its own.

    `digest` tells a repeat from a conflict (None: every repeat is one). `kind` names the row in table `request`; None
    makes none. `operation` and `subject` are of kind `request` only: what is to be done to which thing.
    """

    shard: int
    tenant: str
    root: Root
    stream: str
    event: Event
    actor: Actor
    trace: str
    digest: bytes | None = None
    kind: str | None = None
    account_id: str | None = None
    reference: str | None = None
    operation: str | None = None
    subject: str | None = None


class Appended(msgspec.Struct, frozen=True):
    """Where the request stands in the log; `replayed` where it stood there before."""

    shard: int
    position: int
    recorded_at: datetime | None
    replayed: bool = False


class Waiting(msgspec.Struct, eq=False, gc=False):
    """A caller: what it wants, its event's id, since when (monotonic), and its answer."""

    wanted: Wanted
    identity: bytes
    since: float
    done: "asyncio.Future[Appended]"


class Plan:
    """What one commit holds, made while the shards' rows are locked; made afresh at every try."""

    def __init__(self, waiting: Sequence[Waiting], clock: Clock, zone: ZoneInfo) -> None:
        self.waiting = waiting
        self.shards = sorted({one.wanted.shard for one in waiting})
        self.identities = list({one.identity: (one.wanted.shard, one.identity) for one in waiting}.values())
        self.batches: list[Batch] = []
        self.answers: list[Appended | Conflict] = []
        self._clock = clock
        self._zone = zone

    def __call__(
        self, held: dict[int, Held], found: dict[bytes, EventRow]
    ) -> tuple[Sequence[Batch], Sequence[SideRows]]:
        """Make rows for what is new, answers for all."""
        self.batches, self.answers = [], []
        known: dict[bytes, tuple[EventRow, datetime | None]] = {key: (row, None) for key, row in found.items()}
        times = {shard: max(one.database_now + self._clock.offset(), one.recorded_at) for shard, one in held.items()}
        texts = {shard: (rfc3339(at), at.astimezone(self._zone).date().isoformat()) for shard, at in times.items()}
        rows: dict[int, list[EventRow]] = {}
        requests: list[tuple[object, ...]] = []
        for one in self.waiting:
            wanted, shard = one.wanted, one.wanted.shard
            first = known.get(one.identity)
            if first is not None:
                self.answers.append(_repeat(wanted, *first))
                continue
            of_shard = rows.setdefault(shard, [])
            position = held[shard].next_position + len(of_shard)
            payload = encode_event(wanted.event)
            row = _row(one, position, texts[shard], payload)
            of_shard.append(row)
            known[one.identity] = (row, times[shard])
            self.answers.append(Appended(shard, position, times[shard]))
            if wanted.kind is not None:
                requests.append(request_row(row, wanted.tenant, payload, times[shard], _listed(wanted, wanted.kind)))
        self.batches = [_batch(held[shard], of_shard, times[shard]) for shard, of_shard in sorted(rows.items())]
        return self.batches, [SideRows(REQUEST, requests)] if requests else []

    def answer(self) -> None:
        """Hand out the answers, once the commit is known."""
        for one, answer in zip(self.waiting, self.answers, strict=True):
            if one.done.done():
                continue
            if isinstance(answer, Conflict):
                one.done.set_exception(answer)
            else:
                one.done.set_result(answer)


def _repeat(wanted: Wanted, first: EventRow, recorded_at: datetime | None) -> Appended | Conflict:
    if wanted.digest is not None and first.digest is not None and wanted.digest != first.digest:
        return Conflict(f"this key stands for {first.stream}", first.stream)
    return Appended(first.shard, first.position, recorded_at, replayed=True)


def _row(one: Waiting, position: int, texts: tuple[str, str], payload: msgspec.Raw) -> EventRow:
    wanted = one.wanted
    envelope = Envelope(
        tenant=wanted.tenant,
        event_id=one.identity.hex(),
        type=wanted.event.TYPE,
        stream=wanted.stream,
        version=1,
        recorded_at=texts[0],
        effective_date=texts[1],
        actor=wanted.actor,
        correlation=wanted.root.hex(),
        causation=None,
        payload=payload,
    )
    return EventRow(
        shard=wanted.shard,
        position=position,
        stream=wanted.stream,
        version=1,
        event_id=one.identity,
        type=wanted.event.TYPE,
        data=seal(envelope),
        digest=wanted.digest,
        trace=wanted.trace,
    )


def _listed(wanted: Wanted, kind: str) -> Listed:
    return Listed(
        kind=kind,
        account_id=wanted.account_id,
        reference=wanted.reference,
        operation=wanted.operation,
        subject=wanted.subject,
    )


def _batch(held: Held, rows: Sequence[EventRow], recorded_at: datetime) -> Batch:
    return Batch(
        shard=held.shard,
        mode=Mode.SHARED,
        epoch=held.epoch,
        held_position=held.next_position,
        head=extend(held.head, held.next_position - 1, [leaf_hash(row.data) for row in rows]),
        recorded_at=recorded_at,
        rows=rows,
    )
