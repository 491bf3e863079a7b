"""Event rows as PostgreSQL takes and gives them: COPY's buffer, a statement's arrays, a result's rows."""

import struct
from collections.abc import Sequence

from psycopg.pq.abc import PGresult

from shared.eventlog.packing import pack, pack_all, unpack
from shared.eventlog.ports import EventRow, Held
from shared.postgres.binary import BYTEA, INT4, INT8, TEXT, UUID_OID, array, as_int, as_time, int4, int8

_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">II", 0, 0)
_COPY_END = b"\xff\xff"
_COPY_START = struct.Struct(">hiiiqi").pack
_COPY_MIDDLE = struct.Struct(">iqi16s").pack
_NULL = b"\xff\xff\xff\xff"


def copy_buffer(rows: Sequence[EventRow]) -> bytes:
    """Return the rows as COPY's binary format, header and trailer included."""
    parts = [_COPY_HEAD]
    types: dict[str, bytes] = {}
    for row, data in zip(rows, pack_all([row.data for row in rows]), strict=True):
        stream = row.stream.encode()
        type_ = types.get(row.type)
        if type_ is None:
            types[row.type] = type_ = int4(len(row.type.encode())) + row.type.encode()
        parts += (
            _COPY_START(9, 4, row.shard, 8, row.position, len(stream)),
            stream,
            _COPY_MIDDLE(8, row.version, 16, row.event_id),
            type_,
            int4(len(data)),
            data,
            _copy_value(row.digest),
            _NULL if row.trace is None else _copy_value(row.trace.encode()),
        )
    parts.append(_COPY_END)
    return b"".join(parts)


def _copy_value(value: bytes | None) -> bytes:
    return _NULL if value is None else int4(len(value)) + value


def held_of(result: PGresult, row: int) -> Held:
    """Return what a row of `lock_shards` or `take_over` says."""
    value = result.get_value
    return Held(
        as_int(value(row, 0)),
        as_int(value(row, 1)),
        as_int(value(row, 2)),
        value(row, 3) or b"",
        as_time(value(row, 4)),
        as_time(value(row, 5)),
    )


def rows_of(result: PGresult) -> list[EventRow]:
    """Return the events of a result that has the columns of `event` in order."""
    value = result.get_value
    number = int.from_bytes
    rows = []
    for row in range(result.ntuples):
        trace = value(row, 8)
        rows.append(
            EventRow(
                number(value(row, 0) or b"", "big"),
                number(value(row, 1) or b"", "big"),
                (value(row, 2) or b"").decode(),
                number(value(row, 3) or b"", "big", signed=True),
                value(row, 4) or b"",
                (value(row, 5) or b"").decode(),
                unpack(value(row, 6) or b""),
                value(row, 7),
                None if trace is None else trace.decode(),
            )
        )
    return rows


def one_row(row: EventRow) -> list[bytes | None]:
    """Return a row as parameters, in the order of the columns."""
    return [
        int4(row.shard),
        int8(row.position),
        row.stream.encode(),
        int8(row.version),
        row.event_id,
        row.type.encode(),
        pack(row.data),
        row.digest,
        optional_text(row.trace),
    ]


def row_arrays(rows: Sequence[EventRow]) -> list[bytes | None]:
    """Return rows as one array per column."""
    return [
        array(INT4, [int4(row.shard) for row in rows]),
        array(INT8, [int8(row.position) for row in rows]),
        array(TEXT, [row.stream.encode() for row in rows]),
        array(INT8, [int8(row.version) for row in rows]),
        array(UUID_OID, [row.event_id for row in rows]),
        array(TEXT, [row.type.encode() for row in rows]),
        array(BYTEA, pack_all([row.data for row in rows])),
        array(BYTEA, [row.digest for row in rows]),
        array(TEXT, [optional_text(row.trace) for row in rows]),
    ]


def optional_text(text: str | None) -> bytes | None:
    """Return a text's bytes, None (NULL) for None."""
    return None if text is None else text.encode()
