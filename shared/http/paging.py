"""Cursors of pages: where the last item of a page stands, opaque to callers."""

import base64
from datetime import datetime
from typing import Any

import msgspec

from shared.clock import rfc3339
from shared.http.problems import Problem


def cursor_of(at: datetime, *parts: str) -> str:
    """Return the cursor of the item at this instant; `parts` tell it from others of the same instant."""
    return cursor_of_parts(rfc3339(at), *parts)


def cursor_of_parts(*parts: str) -> str:
    """Return the cursor of the item that these parts name."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def open_parts(cursor: str | None, size: int) -> list[str] | None:
    """Return the parts of a cursor with `size` of them; what is none raises the Problem."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        parts = msgspec.json.decode(raw, type=list[str])
    except (ValueError, msgspec.DecodeError) as error:
        raise Problem("cursor_invalid", "cursor") from error
    if len(parts) != size or "\x00" in "".join(parts):
        raise Problem("cursor_invalid", "cursor")
    return parts


def open_cursor(cursor: str | None, size: int) -> list[Any] | None:
    """Return instant and parts of a cursor with `size` of them together; what is none raises the Problem."""
    parts = open_parts(cursor, size)
    if parts is None:
        return None
    try:
        return [datetime.fromisoformat(parts[0]), *parts[1:]]
    except ValueError as error:
        raise Problem("cursor_invalid", "cursor") from error


def at_and_id(cursor: str | None) -> tuple[datetime | None, str | None]:
    """Return instant and id of a cursor of these two, None twice for the first page."""
    before = open_cursor(cursor, 2)
    return (before[0], before[1]) if before else (None, None)


def whole_number(text: str) -> int:
    """Return a number that a cursor carries; what is none raises the Problem."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem("cursor_invalid", "cursor")
    return int(text)
