"""Notices, as the notifier speaks of them: planned, then sent or ended."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from shared.contracts.notifier import NoticeEnded, NoticePlanned, NoticeSent
from shared.eventlog.projections import Placed, send_by_key
from shared.postgres.queries import queries

_SQL = queries(Path(__file__).with_suffix(".sql"))


class Notices:
    """Folds the notifier's log into `notice_view`; `reference` is that of the payment a notice is about."""

    name = "gateway.notices"
    version = 1
    tables: Sequence[str] = ("notice_view",)

    def apply(self, cursor: psycopg.Cursor[Any], facts: Sequence[Placed]) -> None:
        """Send the batch as one statement, one row per notice."""
        rows: dict[str, list[str | None]] = {}
        for placed in facts:
            match placed.fact.event:
                case NoticePlanned() as planned:
                    reference = planned.facts.get("reference")
                    row = rows.setdefault(planned.notice_id, [planned.account_id, None, None, None, None])
                    row[1:3] = [planned.kind, None if reference is None else str(reference)]
                case NoticeSent() as sent:
                    rows.setdefault(sent.notice_id, [sent.account_id, None, None, None, None])[3] = sent.sent_at
                case NoticeEnded() as ended:
                    rows.setdefault(ended.notice_id, [ended.account_id, None, None, None, None])[4] = ended.reason
                case _:
                    pass
        send_by_key(cursor, _SQL["fold"], rows)
