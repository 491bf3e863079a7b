"""The library's published test cases, unmodified, and plain applications on our recorders."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import AggregateRecorder, ApplicationRecorder, IntegrityError
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from shared.errors import Fenced
from shared.eventlog.merkle import extend, leaf_hash
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.recorder import LogRecorder, SnapshotRecorder
from shared.eventlog.recorder_mapper import stored_as
from shared.eventlog.recorder_sessions import ThreadSessions
from tests.conftest import Database, ServiceDatabase


class _OnFreshShards:
    """Gives each test a recorder on a shard that nobody has written to."""

    make: ClassVar[ServiceDatabase]
    opened: ClassVar[list[ThreadSessions]]
    database: ClassVar[Database]
    shards: ClassVar[Iterator[int]]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def database_of_the_class(cls, service_database: ServiceDatabase) -> Iterator[None]:
        cls.opened = []
        cls.database = service_database("library", shards=12, mode="library")
        cls.shards = iter(range(12))
        yield
        for sessions in cls.opened:
            sessions.close()

    def sessions(self) -> ThreadSessions:
        self.opened.append(ThreadSessions(self.database.dsn, "test-recorder"))
        return self.opened[-1]


class TestApplicationRecorder(_OnFreshShards, ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return LogRecorder(self.sessions(), next(self.shards))

    def test_insert_subscribe(self) -> None:
        super().optional_test_insert_subscribe()


class TestNonInterleaving(_OnFreshShards, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return LogRecorder(self.sessions(), next(self.shards))


class TestSnapshotRecorder(_OnFreshShards, AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return SnapshotRecorder(self.sessions(), next(self.shards))


@pytest.fixture(scope="module")
def library(service_database: ServiceDatabase) -> Database:
    return service_database("library", shards=4, mode="library")


def environment(database: Database, shard: int, **more: str) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "shared.eventlog.recorder",
        "POSTGRES_DSN": database.dsn,
        "POSTGRES_SHARD": str(shard),
        **more,
    }


class Dog(Aggregate):
    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class Kennel(Application[UUID]):
    is_snapshotting_enabled = True


def test_a_plain_application_with_aggregates_and_snapshots_runs_on_our_factory(library: Database) -> None:
    with Kennel(environment(library, 0)) as kennel:
        dog = Dog("Fido")
        dog.add_trick("roll over")
        kennel.save(dog)
        kennel.take_snapshot(dog.id)
        dog.add_trick("play dead")
        kennel.save(dog)
        again: Dog = kennel.repository.get(dog.id)
        assert (again.tricks, again.version) == (["roll over", "play dead"], 3)
        assert kennel.snapshots is not None
        assert [kept.originator_version for kept in kennel.snapshots.get(dog.id)] == [2]
        assert [item.id for item in kennel.notification_log.select(1, 10)] == [1, 2, 3]


@stored_as("test.credited.v1")
class Credited(msgspec.Struct, frozen=True):
    originator_id: UUID
    originator_version: int
    amount_minor: int


@stored_as("test.account-snapshot.v1")
class AccountSnapshot(msgspec.Struct, frozen=True):
    originator_id: UUID
    originator_version: int
    balance_minor: int


class Account(msgspec.Struct, frozen=True):
    id: UUID
    version: int
    balance_minor: int


def project(account: Account | None, events: Sequence[Any]) -> Account | None:
    for one in events:
        match one:
            case AccountSnapshot():
                account = Account(one.originator_id, one.originator_version, one.balance_minor)
            case Credited():
                before = account.balance_minor if account else 0
                account = Account(one.originator_id, one.originator_version, before + one.amount_minor)
    return account


def test_msgspec_events_are_folded_by_a_projector_function_from_a_snapshot_on(library: Database) -> None:
    with Kennel(environment(library, 1)) as app:
        account_id = uuid4()
        app.events.put([Credited(account_id, version, 5) for version in range(1, 101)])
        assert app.snapshots is not None
        app.snapshots.put([AccountSnapshot(account_id, 100, 500)])
        app.events.put([Credited(account_id, 101, 7)])
        account: Any = app.repository.get(account_id, projector_func=project)  # type: ignore[arg-type]
        assert account == Account(account_id, 101, 507)
        assert app.recorder.select_notifications(1, 1)[0].topic == "test.credited.v1"


async def test_what_the_library_wrote_is_a_log_like_any_other(library: Database) -> None:
    with Kennel(environment(library, 2, POSTGRES_ORIGINATOR_ID_TYPE="text")) as app:
        app.events.put([Credited(uuid4(), 1, amount) for amount in range(300)])
    store = PostgresStore(library.dsn, "library")
    rows = await store.read(2, 0, 1000)
    await store.close()
    assert [row.position for row in rows] == list(range(1, 301))
    assert len({row.event_id for row in rows}) == 300
    with psycopg.connect(library.dsn) as connection:
        stored = connection.execute("SELECT next_position, head FROM shard WHERE shard = 2").fetchone()
    assert stored == (301, extend(b"", 0, [leaf_hash(row.data) for row in rows]))


@pytest.mark.parametrize("mode", ["owned", "shared"])
def test_a_library_call_on_a_shard_of_a_running_service_is_refused(
    service_database: ServiceDatabase, mode: str
) -> None:
    database = service_database("library", shards=1, mode=mode)
    with Kennel(environment(database, 0)) as app:
        with pytest.raises(Fenced):
            app.events.put([Credited(uuid4(), 1, 1)])
        assert app.recorder.max_notification_id() is None


def test_a_duplicate_is_the_librarys_integrity_error(library: Database) -> None:
    with Kennel(environment(library, 3)) as app:
        first = Credited(uuid4(), 1, 1)
        app.events.put([first])
        with pytest.raises(IntegrityError):
            app.events.put([first])
        app.events.put([Credited(uuid4(), 1, 1)])
        assert app.recorder.max_notification_id() == 2
