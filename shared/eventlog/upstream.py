"""What a tail says of the records that caused it: how far each upstream chain was consumed when it was decided.

The lost store's cursors stood at least at the highest upstream record that an adopted event names. Of the records up
to there, one whose event is in the log is done. One without an event was parked, or concerned nobody, or changed
nothing; where its household has an event that came after a later record of the chain, it was not parked. What is left
is parked again and released at once, so that its own decider says which of these it is.
"""

import struct
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from shared.contracts.topics import BY_NAME, consumed_by
from shared.decider import Registry
from shared.errors import BadRecord
from shared.eventlog.cursors import ChainKey, CursorBook, Verdict
from shared.eventlog.intake import BEHIND, NOBODY, STRAY_SHARD, item_of_record, parked_record
from shared.eventlog.ports import Cursor, Ended, EventRow, Parked, Place, Record
from shared.eventlog.tail import NotAdoptable
from shared.ids import RELAYED, SERVICE_CODES, event_id, root_of_record

ADOPTED = "adopted"
_ROOT = struct.Struct(">BBIQ")
_SOURCES = {code: service for service, code in SERVICE_CODES.items()}


class Consumed(NamedTuple):
    """What is stored besides the rows: cursors, records on the shelf and off it; `adopted` ones are to be released."""

    cursors: list[Cursor]
    parked: list[Parked]
    ended: list[Ended]


def causes(service: str, shards: int, rows: Sequence[EventRow]) -> dict[ChainKey, int]:
    """Return, per upstream chain, the highest position whose event is among `rows`."""
    topics = {BY_NAME[topic].producer: topic for topic in consumed_by(service)}
    highest: dict[ChainKey, int] = {}
    for row in rows:
        kind, code, shard, position = _ROOT.unpack(row.event_id[: _ROOT.size])
        topic = topics.get(_SOURCES.get(code, "")) if kind == RELAYED and shard < shards else None
        if topic is not None:
            highest[topic, shard] = max(position, highest.get((topic, shard), 0))
    return highest


def walk(chain: ChainKey, cursor: Cursor, upto: int, records: Sequence[Record]) -> tuple[Cursor, list[Record]]:
    """Return the cursor at `upto` and the chain's records from `cursor` to there; NotAdoptable where one is missing."""
    book = CursorBook.of([cursor])
    taken = [record for record in records if record.position <= upto and book.take(record, 0.0) is Verdict.APPLY]
    reached = book.cursor(chain)
    if reached.position != upto:
        raise NotAdoptable(
            f"{chain[0]} has no record {upto} of shard {chain[1]} behind {reached.position}, a cause of the tail: "
            f"`piperoll admin relay --refill {chain[0]} --shard {chain[1]} --from {reached.position + 1}`, then again"
        )
    return reached, taken


def consumed(
    registry: Registry,
    cursors: Sequence[Cursor],
    records: Sequence[Record],
    rows: Sequence[EventRow],
    shelf: Sequence[Parked],
) -> Consumed:
    """Return what becomes of the upstream `records` (chain by chain, in order), of which the tail's `rows` came.

    `shelf` are the records that wait in the old copy.
    """
    stored = {row.event_id: row.position for row in rows}
    result = Consumed(list(cursors), [], [])
    held: set[str] = set()
    for parked in shelf:
        if first_id(parked.place) in stored:
            result.ended.append(Ended(*parked.place, "released"))
        elif parked.key:
            held.add(parked.key)
    went_on = _went_on(records, rows, stored)
    for record in records:
        if first_id(place_of(record)) in stored:
            continue
        cause = _cause(registry, record, held)
        if cause is None or (cause in (ADOPTED, BEHIND) and place_of(record) in went_on):
            continue
        result.parked.append(parked_record(record, cause))
        if record.key:
            held.add(record.key)
    return result


def _cause(registry: Registry, record: Record, held: Container[str]) -> str | None:
    """Return why a record without an event is parked; None where it concerned nobody."""
    try:
        asks, refused = item_of_record(registry, record), ""
    except BadRecord as error:
        asks, refused = NOBODY, error.cause
    if refused:
        return refused
    if asks is NOBODY:
        return None
    return BEHIND if record.key in held else ADOPTED


def _went_on(records: Sequence[Record], rows: Sequence[EventRow], stored: Mapping[bytes, int]) -> Container[Place]:
    """Return the records that did not hold their household: it has an event that came after they had been read.

    Such an event is at or after the first one of any later record of their chain, and comes from a command or from a
    later record of the chain: what was released in front of a parked record proves nothing.
    """
    last = {(row.event_id[: _ROOT.size]): row.position for row in rows}
    newest: dict[str, int] = {}
    for row in rows:
        if row.event_id[0] != RELAYED:
            newest[row.stream] = row.position
    found: set[Place] = set()
    later: dict[ChainKey, int] = {}
    told: dict[tuple[ChainKey, str], int] = {}
    for record in reversed(records):
        chain, place = (record.topic, record.source_shard), place_of(record)
        proof = max(newest.get(record.key, 0), told.get((chain, record.key), 0))
        if proof >= later.get(chain, proof + 1):
            found.add(place)
        position = stored.get(first_id(place))
        if position is not None:
            later[chain] = min(position, later.get(chain, position))
            newest_of_record = last[first_id(place)[: _ROOT.size]]
            told[chain, record.key] = max(newest_of_record, told.get((chain, record.key), 0))
    return found


def place_of(record: Record) -> Place:
    """Return where a record stood."""
    return record.topic, record.source_shard, record.position


def first_id(place: Place) -> bytes:
    """Return the id of the first event that a record caused, if it caused one; a stray record has none."""
    topic, shard, position = place
    if shard == STRAY_SHARD:
        return b""
    return event_id(root_of_record(BY_NAME[topic].producer, shard, position), 0)
