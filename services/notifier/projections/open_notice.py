"""Where each open notice stands in the log, so that a new owner of a shard need not read all of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.notifier import NoticeEnded, NoticePlanned, NoticeSent
from shared.eventlog.projections import Placed
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class OpenNoticeIndex:
    """Folds the notifier's log into `open_notice`."""

    name = "notifier.open-notice"
    version = 1
    tables: Sequence[str] = ("open_notice",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Add what was planned and is open at the end of the batch, and remove what was closed in it."""
        opened: dict[str, tuple[int, int]] = {}
        closed: list[str] = []
        for placed in facts:
            match placed.fact.event:
                case NoticePlanned(notice_id=notice_id):
                    opened[notice_id] = (placed.shard, placed.position)
                case NoticeSent(notice_id=notice_id) | NoticeEnded(notice_id=notice_id):
                    if opened.pop(notice_id, None) is None:
                        closed.append(notice_id)
                case _:
                    pass
        if closed:
            cursor.execute(_SQL["close"], (closed,))
        if opened:
            shards, positions = zip(*opened.values(), strict=True)
            cursor.execute(_SQL["open"], (list(opened), list(shards), list(positions)))

    def open_positions(self, cursor: psycopg.Cursor[Any], shard: int) -> list[int]:
        """Return the positions of a shard's open notices, oldest first."""
        return [int(row[0]) for row in cursor.execute(_SQL["open_positions"], (shard,)).fetchall()]
