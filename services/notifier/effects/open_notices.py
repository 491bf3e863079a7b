"""Open notices: planned without outcome, folded from one shard's own log."""

import asyncio
from collections.abc import Sequence

import msgspec
import psycopg

from services.notifier.projections.open_notice import OpenNoticeIndex
from shared.contracts.envelope import open_fact
from shared.contracts.notifier import NoticeEnded, NoticePlanned, NoticeSent
from shared.errors import StoreDown
from shared.eventlog.ports import EventRow, Store
from shared.eventlog.projections import as_of_one_moment, positions_of
from shared.postgres.settings import conninfo

READ_AT_ONCE = 500


class OpenNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice to be delivered, and what its outcome carries on."""

    planned: NoticePlanned
    planned_at: str
    tenant: str
    correlation: str
    causation: str
    trace: str | None

    @property
    def notice_id(self) -> str:
        return self.planned.notice_id


class OpenNotices:
    """The open notices of a shard; `take` folds its log, row by row, in order, and a row twice changes nothing."""

    def __init__(self) -> None:
        self.by_id: dict[str, OpenNotice] = {}
        self.position = 0

    def take(self, row: EventRow) -> OpenNotice | None:
        """Fold a row and return the notice that it opens, if it does."""
        if row.position <= self.position:
            return None
        self.position = row.position
        if row.type == NoticePlanned.TYPE:
            notice = _opened(row)
            self.by_id[notice.notice_id] = notice
            return notice
        if row.type in (NoticeSent.TYPE, NoticeEnded.TYPE):
            event = open_fact(row.data).event
            if isinstance(event, NoticeSent | NoticeEnded):
                self.by_id.pop(event.notice_id, None)
        return None


async def load(store: Store, shard: int, dsn: str) -> OpenNotices:
    """Return a shard's open notices: those of the index, and the log from there on. Errors: StoreDown."""
    position, open_at = await asyncio.to_thread(_indexed, dsn, shard)
    notices = OpenNotices()
    wanted = set(open_at)
    for at in open_at:
        if at > notices.position:
            for row in await store.read(shard, at - 1, READ_AT_ONCE):
                if row.position in wanted:
                    notices.take(row)
                notices.position = row.position
    notices.position = position
    while rows := await store.read(shard, notices.position, READ_AT_ONCE):
        for row in rows:
            notices.take(row)
    return notices


def _indexed(dsn: str, shard: int) -> tuple[int, Sequence[int]]:
    """Return how far the index of this shard is, and the positions of what was open there."""
    index = OpenNoticeIndex()
    try:
        with (
            psycopg.connect(conninfo(dsn, "piperoll-notifier-effects")) as connection,
            connection.cursor() as cursor,
        ):
            as_of_one_moment(cursor, index)
            position = positions_of(cursor, index.name, index.version, "notifier").get(shard, 0)
            return position, index.open_positions(cursor, shard)
    except psycopg.OperationalError as error:
        raise StoreDown(f"open notices of shard {shard} cannot be read: {error}") from error


def _opened(row: EventRow) -> OpenNotice:
    fact = open_fact(row.data)
    if not isinstance(fact.event, NoticePlanned):
        raise TypeError(f"{row.type} at {row.position} plans no notice")
    return OpenNotice(
        planned=fact.event,
        planned_at=fact.envelope.recorded_at,
        tenant=fact.envelope.tenant,
        correlation=fact.envelope.correlation,
        causation=fact.envelope.event_id,
        trace=row.trace,
    )
