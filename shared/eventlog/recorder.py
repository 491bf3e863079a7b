"""`eventsourcing` on our log: recorders, factory and mapper.

`PERSISTENCE_MODULE=shared.eventlog.recorder` with `POSTGRES_DSN` (a service role's), `POSTGRES_SHARD` (0) and
`POSTGRES_ORIGINATOR_ID_TYPE` (`uuid` or `text`) runs a plain `Application` on one shard in mode `library`. A shard in
mode `owned` or `shared` belongs to a running service and refuses plain calls with `Fenced`.
"""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    ListenNotifySubscription,
    Mapper,
    Notification,
    NotSupportedError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)
from psycopg.abc import PQGen

from shared.eventlog.append import append, lock
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.packing import unpack
from shared.eventlog.ports import Batch, Cursor, Held, Mode, Parked
from shared.eventlog.postgres_sessions import again_after_lock_timeout
from shared.eventlog.recorder_mapper import LogMapper
from shared.eventlog.recorder_rows import (
    HIGHEST,
    LOWEST,
    originator_reader,
    read_events,
    rows_from,
    versions_between,
)
from shared.eventlog.recorder_sessions import ThreadSessions
from shared.postgres.binary import BYTEA, INT4, INT8, TEXT, array, int4, int8, read_bytes, read_int, read_text
from shared.postgres.wire import Session

POLL_S = 0.01


class LogRecorder(ApplicationRecorder):
    """One shard as the library's application recorder: `state` is `data`, notification ids are positions."""

    def __init__(self, sessions: ThreadSessions, shard: int = 0, *, originator_ids: str = "uuid") -> None:
        self.shard = shard
        self._sessions = sessions
        self._originator = originator_reader(originator_ids)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Store events in one transaction and return their positions.

        Without further arguments the shard's row is locked (mode `library`), ids are made from originator and
        version and the time is the row's. `held` names what a holder knows instead of the lock (`mode` with it),
        `event_ids` and `digests` the events' own, `recorded_at` their time, `cursors` and `parked` go with them.
        """
        if kwargs.pop("tracking", None) is not None:
            raise NotSupportedError("what was consumed is kept in cursors, not in tracking records")
        if not stored_events and not kwargs:
            return []
        with self._sessions.lend() as session:
            work = again_after_lock_timeout(session, lambda: self._insert(session, stored_events, **kwargs))
            first = self._sessions.run(session, work)
        return list(range(first, first + len(stored_events)))

    def _insert(
        self,
        session: Session,
        stored_events: Sequence[StoredEvent],
        *,
        held: Held | None = None,
        mode: Mode = Mode.LIBRARY,
        event_ids: Sequence[bytes] | None = None,
        digests: Sequence[bytes | None] | None = None,
        recorded_at: Any = None,
        cursors: Sequence[Cursor] = (),
        parked: Sequence[Parked] = (),
    ) -> PQGen[int]:
        locked = held is None
        if held is None:
            found, _ = yield from lock(session, [self.shard], mode, [])
            held = found[self.shard]
        first = held.next_position
        rows = rows_from(self.shard, first, stored_events, event_ids, digests)
        batch = Batch(
            shard=self.shard,
            mode=mode,
            epoch=held.epoch,
            held_position=first,
            head=extend(held.head, first - 1, [leaf_hash(row.data) for row in rows]),
            recorded_at=recorded_at or held.recorded_at,
            rows=rows,
            cursors=cursors,
            parked=parked,
        )
        yield from append(session, [batch], locked=locked)
        return first

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        result = self._sessions.query(
            "events_descending" if desc else "events_ascending",
            *versions_between(originator_id, gt, lte, limit),
            shard=self.shard,
        )
        return read_events(result, self._originator, unpack)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = LOWEST if start is None else start if inclusive_of_start else start + 1
        bounds = int8(first), int8(HIGHEST if stop is None else stop), int8(limit)
        if topics:
            wanted = array(TEXT, [topic.encode() for topic in topics])
            result = self._sessions.query("notifications_of_types", *bounds, wanted, shard=self.shard)
        else:
            result = self._sessions.query("notifications", *bounds, shard=self.shard)
        return [
            Notification(
                self._originator(read_text(result, row, 0)),
                read_int(result, row, 1),
                read_text(result, row, 2),
                unpack(read_bytes(result, row, 3)),
                id=read_int(result, row, 4),
            )
            for row in range(result.ntuples)
        ]

    def max_notification_id(self) -> int | None:
        result = self._sessions.query("newest", int4(self.shard))
        return (read_int(result, 0, 0) or None) if result.ntuples else None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        return LogSubscription(self, gt, topics)


class LogSubscription(ListenNotifySubscription[LogRecorder]):
    """Looks for a new end every 10 ms. Positions have no gaps and appear in order, so nothing is passed over."""

    def __init__(self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        self._ended = threading.Event()
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._watcher = threading.Thread(target=self._watch, name="log-subscription")
        self._watcher.start()

    def stop(self) -> None:
        super().stop()
        self._ended.set()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._watcher.join()

    def _watch(self) -> None:
        seen = 0
        try:
            while not self._has_been_stopped and not self._ended.wait(POLL_S):
                end = self._recorder.max_notification_id() or 0
                if end > seen:
                    seen = end
                    self._has_been_notified.set()
        except BaseException as error:
            if self._thread_error is None:
                self._thread_error = error
            self.stop()


class SnapshotRecorder(AggregateRecorder):
    """Snapshots of one shard's streams as the library keeps them: every version, by topic."""

    def __init__(self, sessions: ThreadSessions, shard: int = 0, *, originator_ids: str = "uuid") -> None:
        self.shard = shard
        self._sessions = sessions
        self._originator = originator_reader(originator_ids)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        if stored_events:
            self._sessions.query(
                "insert_snapshots",
                array(INT4, [int4(self.shard)] * len(stored_events)),
                array(TEXT, [str(event.originator_id).encode() for event in stored_events]),
                array(INT8, [int8(event.originator_version) for event in stored_events]),
                array(TEXT, [event.topic.encode() for event in stored_events]),
                array(BYTEA, [event.state for event in stored_events]),
            )

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        result = self._sessions.query(
            "snapshots_descending" if desc else "snapshots_ascending",
            *versions_between(originator_id, gt, lte, limit),
            shard=self.shard,
        )
        return read_events(result, self._originator, bytes)


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Recorders on one shard of a provisioned database; nothing is created here."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        dsn = self.env.get("POSTGRES_DSN")
        if not dsn:
            raise InfrastructureFactoryError("POSTGRES_DSN names no database")
        self._shard = int(self.env.get("POSTGRES_SHARD", "0") or "0")
        self._originator_ids = self.env.get("POSTGRES_ORIGINATOR_ID_TYPE", "uuid") or "uuid"
        self._sessions = ThreadSessions(dsn, f"piperoll-{self.env.name or 'application'}".lower())

    def mapper(self, transcoder: Any = None, mapper_class: Any = None) -> Mapper[Any]:
        """Return the mapper: the given class, else `MAPPER_TOPIC`'s, else `LogMapper`."""
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC):
            mapper_class = LogMapper
        return super().mapper(transcoder, mapper_class)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose == "events":
            return self.application_recorder()
        return SnapshotRecorder(self._sessions, self._shard, originator_ids=self._originator_ids)

    def application_recorder(self) -> ApplicationRecorder:
        return LogRecorder(self._sessions, self._shard, originator_ids=self._originator_ids)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> TrackingRecorder:
        raise InfrastructureFactoryError("what was consumed is kept in cursors, there is no tracking recorder")

    def process_recorder(self) -> ProcessRecorder:
        raise InfrastructureFactoryError("what was consumed is kept in cursors, there is no process recorder")

    def close(self) -> None:
        self._sessions.close()
