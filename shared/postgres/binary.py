"""PostgreSQL's binary formats of the few types that the log sends and reads."""

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.pq.abc import PGresult

INT4, INT8, TEXT, BYTEA, UUID_OID = 23, 20, 25, 17, 2950
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ARRAY_HEAD = struct.Struct(">iiIii")
_EMPTY_ARRAY = struct.Struct(">iiI")

int4 = struct.Struct(">i").pack
int8 = struct.Struct(">q").pack


def timestamptz(moment: datetime) -> bytes:
    """Return the bytes of a moment; a naive one raises TypeError."""
    return int8((moment - _POSTGRES_EPOCH) // _MICROSECOND)


def as_int(data: bytes | None) -> int:
    """Return an integer of any width; NULL raises ValueError."""
    if data is None:
        raise ValueError("NULL is no integer")
    return int.from_bytes(data, "big", signed=True)


def as_time(data: bytes | None) -> datetime:
    """Return the moment of a timestamptz; NULL raises ValueError."""
    return _POSTGRES_EPOCH + as_int(data) * _MICROSECOND


def read_int(result: PGresult, row: int, column: int) -> int:
    """Return an integer of a result."""
    return as_int(result.get_value(row, column))


def read_bytes(result: PGresult, row: int, column: int) -> bytes:
    """Return a value's bytes, empty for NULL."""
    return result.get_value(row, column) or b""


def read_text(result: PGresult, row: int, column: int) -> str:
    """Return a text of a result, empty for NULL."""
    return read_bytes(result, row, column).decode()


def array(element: int, items: Sequence[bytes | None]) -> bytes:
    """Return a one-dimensional array of elements of the type with this object id."""
    if not items:
        return _EMPTY_ARRAY.pack(0, 0, element)
    parts = [_ARRAY_HEAD.pack(1, int(None in items), element, len(items), 1)]
    for item in items:
        if item is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts.append(int4(len(item)))
            parts.append(item)
    return b"".join(parts)


def _jsonb(value: Any) -> bytes:
    return b"\x01" + (value if isinstance(value, bytes) else json.dumps(value).encode())


def _day(value: date) -> bytes:
    return int4((value - _POSTGRES_EPOCH.date()).days)


def _uuid(value: UUID | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.bytes


_Encode = Callable[[Any], bytes]
# By the object id of the array type: the element's object id, and how an element is written.
_ARRAYS: dict[int, tuple[int, _Encode]] = {
    1000: (16, lambda value: b"\x01" if value else b"\x00"),
    1005: (21, struct.Struct(">h").pack),
    1007: (INT4, int4),
    1016: (INT8, int8),
    1009: (TEXT, str.encode),
    1015: (1043, str.encode),
    1001: (BYTEA, bytes),
    1185: (1184, timestamptz),
    1182: (1082, _day),
    2951: (UUID_OID, _uuid),
    3807: (3802, _jsonb),
}


def columns(types: Sequence[int], rows: Iterable[Sequence[object]]) -> list[bytes | None]:
    """Return rows as one array per column, for a statement over `unnest`; None is NULL.

    `types` are the object ids of the statement's parameters; one that is no array of a known type raises TypeError.
    """
    turned = list(zip(*rows, strict=True)) or [()] * len(types)
    if len(turned) != len(types):
        raise TypeError(f"the statement has {len(types)} parameters, the rows have {len(turned)} columns")
    encoded: list[bytes | None] = []
    for oid, column in zip(types, turned, strict=True):
        if oid not in _ARRAYS:
            raise TypeError(f"parameter {len(encoded) + 1} is no array of a known type (object id {oid})")
        element, encode = _ARRAYS[oid]
        encoded.append(array(element, [None if value is None else encode(value) for value in column]))
    return encoded
