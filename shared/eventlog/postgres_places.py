"""Where a relay and an inbox keep their places in PostgreSQL.

A place lost in a crash of the server only repeats what came after it, so these commits wait for no disk.
"""

from collections.abc import Mapping, Sequence

from shared.eventlog.append import call
from shared.eventlog.old_copy import Timeline
from shared.eventlog.places import First, Part
from shared.eventlog.postgres_sessions import Sessions
from shared.postgres.binary import BYTEA, INT4, INT8, TEXT, array, int4, int8, read_bytes, read_int, read_text
from shared.postgres.wire import BEGIN, pipeline


class PostgresPlaces:
    """`RelayStore` and `Seeks` over the log's connections."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def relay_place(self, shard: int) -> tuple[int, dict[tuple[str, int], tuple[int, bytes]]]:
        asked = [call("relay_place", int4(shard)), call("relay_chains", int4(shard))]
        async with self._sessions.lend() as session:
            place, chains = await self._sessions.run(session, pipeline(session, asked))
        position = read_int(place, 0, 0) if place.ntuples else 0
        return position, {
            (read_text(chains, row, 0), read_int(chains, row, 1)): (
                read_int(chains, row, 2),
                read_bytes(chains, row, 3),
            )
            for row in range(chains.ntuples)
        }

    async def save_relay_place(
        self, shard: int, position: int, chains: dict[tuple[str, int], tuple[int, bytes]]
    ) -> None:
        calls = [BEGIN, call("lazily"), call("save_relay_place", int4(shard), int8(position))]
        if chains:
            calls.append(
                call(
                    "save_relay_chains",
                    array(INT4, [int4(shard)] * len(chains)),
                    array(TEXT, [topic.encode() for topic, _ in chains]),
                    array(INT4, [int4(partition) for _, partition in chains]),
                    array(INT8, [int8(last) for last, _ in chains.values()]),
                    array(BYTEA, [leaf for _, leaf in chains.values()]),
                )
            )
        await self._sessions.change(calls)

    async def log_heads(self, shards: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        result = await self._sessions.query(call("log_heads", array(INT4, [int4(shard) for shard in shards])))
        return {
            read_int(result, row, 0): (read_int(result, row, 1), read_bytes(result, row, 2))
            for row in range(result.ntuples)
        }

    async def firsts(self, shard: int) -> dict[Part, First]:
        result = await self._sessions.query(call("firsts", int4(shard)))
        return {
            (read_text(result, row, 0), read_int(result, row, 1)): First(
                read_int(result, row, 2), None if result.get_value(row, 3) is None else read_int(result, row, 3)
            )
            for row in range(result.ntuples)
        }

    async def save_firsts(self, shard: int, firsts: Mapping[Part, First]) -> None:
        saved = call(
            "save_firsts",
            int4(shard),
            array(TEXT, [topic.encode() for topic, _ in firsts]),
            array(INT4, [int4(partition) for _, partition in firsts]),
            array(INT8, [int8(first.offset) for first in firsts.values()]),
            array(INT8, [int8(-1 if first.at_ms is None else first.at_ms) for first in firsts.values()]),
        )
        await self._sessions.change([BEGIN, call("lazily"), saved])

    async def timeline(self) -> Timeline:
        result = await self._sessions.query(call("timeline"))
        return Timeline(read_int(result, 0, 0), read_int(result, 0, 1))

    async def known_timelines(self, shards: Sequence[int]) -> dict[int, Timeline]:
        result = await self._sessions.query(call("known_timelines", array(INT4, [int4(shard) for shard in shards])))
        return {
            read_int(result, row, 0): Timeline(read_int(result, row, 1), read_int(result, row, 2))
            for row in range(result.ntuples)
        }

    async def save_timeline(self, shards: Sequence[int], timeline: Timeline) -> None:
        of = array(INT4, [int4(shard) for shard in shards])
        saved = call("save_timeline", of, int8(timeline.system_identifier), int4(timeline.number))
        await self._sessions.change([BEGIN, saved])

    async def seeks(self) -> dict[tuple[str, int], int]:
        result = await self._sessions.query(call("seeks"))
        return {
            (read_text(result, row, 0), read_int(result, row, 1)): read_int(result, row, 2)
            for row in range(result.ntuples)
        }

    async def save_seeks(self, offsets: dict[tuple[str, int], int]) -> None:
        if not offsets:
            return
        saved = call(
            "save_seeks",
            array(TEXT, [topic.encode() for topic, _ in offsets]),
            array(INT4, [int4(partition) for _, partition in offsets]),
            array(INT8, [int8(offset) for offset in offsets.values()]),
        )
        await self._sessions.change([BEGIN, call("lazily"), saved])
