"""The log of a service whose shards lie on several PostgreSQL servers: each call goes to the server of its shard.

A server that is away is the trouble of its own shards only. No transaction spans two servers.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from shared.errors import Misplaced, StoreDown
from shared.eventlog.old_copy import TimelineStore
from shared.eventlog.places import ChainStore, First, Part
from shared.eventlog.ports import (
    Batch,
    Cursor,
    EventRow,
    Fate,
    Held,
    Parked,
    Seeks,
    SharedPlan,
    Store,
    StoredState,
)
from shared.postgres.placement import Placement
from shared.telemetry.logs import logger

log = logger(__name__)

Key = TypeVar("Key")
Value = TypeVar("Value")


class LogStore(Store, ChainStore, Seeks, Protocol):
    """All that a process asks of its log."""

    async def close(self) -> None:
        """End the connections."""
        ...


class ServerStore(LogStore, TimelineStore, Protocol):
    """The log on one server, which has a timeline."""


class PlacedStore:
    """One store per server, made by `make(dsn)`; before a server's first shard is taken, its shards are counted."""

    def __init__(self, placement: Placement, make: Callable[[str], ServerStore]) -> None:
        self._stores = {dsn: make(dsn) for dsn in placement.servers}
        self._placement = placement
        self._checked: set[str] = set()

    async def close(self) -> None:
        """End all connections."""
        await asyncio.gather(*(store.close() for store in self._stores.values()))

    async def check(self) -> None:
        """Raise Misplaced where a server has other shards than the map says; one that is away is checked later."""
        for dsn, shards in self._placement.servers.items():
            try:
                await self._check(dsn)
            except StoreDown as error:
                log.error("server_is_away", shards=list(shards), error=str(error))

    async def _check(self, dsn: str) -> None:
        if dsn in self._checked:
            return
        placed = self._placement.servers[dsn]
        found = await self._stores[dsn].ends(range(len(self._placement.dsns)))
        if set(found) != set(placed):
            raise Misplaced(
                f"PIPEROLL_POSTGRES_DSNS places shards {list(placed)} on a server that has {sorted(found)}: "
                "a shard lies where it was made, on one server"
            )
        self._checked.add(dsn)

    async def take_over(self, shard: int) -> Held:
        await self._check(self._placement.dsns[shard])
        return await self.of(shard).take_over(shard)

    async def cursors(self, shard: int) -> Sequence[Cursor]:
        return await self.of(shard).cursors(shard)

    async def holds(self, shard: int) -> Sequence[Parked]:
        return await self.of(shard).holds(shard)

    async def strays(self, shard: int) -> Sequence[tuple[str, int]]:
        return await self.of(shard).strays(shard)

    async def load(self, shard: int, streams: Sequence[str], schema: bytes) -> dict[str, StoredState]:
        return await self.of(shard).load(shard, streams, schema)

    async def find(self, shard: int, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
        return await self.of(shard).find(shard, event_ids)

    async def other_types(self, shard: int, stream: str, known: Sequence[str]) -> Sequence[str]:
        return await self.of(shard).other_types(shard, stream, known)

    async def append(self, batch: Batch) -> datetime:
        return await self.of(batch.shard).append(batch)

    async def append_shared(
        self, shards: Sequence[int], event_ids: Sequence[tuple[int, bytes]], plan: SharedPlan, *, hasty: bool = False
    ) -> datetime:
        """Append over shards of one server; ValueError for shards of several."""
        together = self._together(shards)
        if len(together) != 1:
            raise ValueError(f"shards {sorted(shards)} do not lie on one server: no commit spans two")
        return await self._stores[next(iter(together))].append_shared(shards, event_ids, plan, hasty=hasty)

    async def fate_of(self, batch: Batch) -> Fate:
        return await self.of(batch.shard).fate_of(batch)

    async def read(self, shard: int, after: int, limit: int) -> Sequence[EventRow]:
        return await self.of(shard).read(shard, after, limit)

    async def ends(self, shards: Sequence[int]) -> dict[int, int]:
        """Return the last positions; StoreDown where any of their servers is away."""
        asked = [self._stores[dsn].ends(on_it) for dsn, on_it in self._together(shards).items()]
        return {shard: end for found in await asyncio.gather(*asked) for shard, end in found.items()}

    async def save_snapshots(self, shard: int, snapshots: Sequence[tuple[str, int, bytes, bytes]]) -> None:
        await self.of(shard).save_snapshots(shard, snapshots)

    async def relay_place(self, shard: int) -> tuple[int, dict[tuple[str, int], tuple[int, bytes]]]:
        return await self.of(shard).relay_place(shard)

    async def save_relay_place(
        self, shard: int, position: int, chains: dict[tuple[str, int], tuple[int, bytes]]
    ) -> None:
        await self.of(shard).save_relay_place(shard, position, chains)

    async def log_heads(self, shards: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        """Return the heads on the servers that answer; StoreDown where none of them does."""
        asked = [self._stores[dsn].log_heads(on_it) for dsn, on_it in self._together(shards).items()]
        return _merged(await asyncio.gather(*asked, return_exceptions=True))

    async def firsts(self, shard: int) -> dict[Part, First]:
        return await self.of(shard).firsts(shard)

    async def save_firsts(self, shard: int, firsts: Mapping[Part, First]) -> None:
        await self.of(shard).save_firsts(shard, firsts)

    async def seeks(self) -> dict[tuple[str, int], int]:
        """Return what the servers that answer have kept; StoreDown where none of them does."""
        asked = (store.seeks() for store in self._stores.values())
        return _merged(await asyncio.gather(*asked, return_exceptions=True))

    async def save_seeks(self, offsets: dict[tuple[str, int], int]) -> None:
        """Keep each partition's offset with the shard of its number; all that can be kept is, then StoreDown."""
        together = self._together({partition for _, partition in offsets})
        saved = await asyncio.gather(
            *(
                self._stores[dsn].save_seeks({place: at for place, at in offsets.items() if place[1] in on_it})
                for dsn, on_it in together.items()
            ),
            return_exceptions=True,
        )
        for answer in saved:
            if isinstance(answer, BaseException):
                raise answer

    def of(self, shard: int) -> ServerStore:
        """Return the store of the shard's server."""
        return self._stores[self._placement.dsns[shard]]

    def _together(self, shards: Iterable[int]) -> dict[str, list[int]]:
        """Return the shards that are asked for, by server."""
        asked: dict[str, list[int]] = {}
        for shard in shards:
            asked.setdefault(self._placement.dsns[shard], []).append(shard)
        return asked


def _merged(answers: Sequence[dict[Key, Value] | BaseException]) -> dict[Key, Value]:
    """Return what the servers that are there have said together; the error of the others where none is."""
    found = [answer for answer in answers if isinstance(answer, dict)]
    for answer in answers:
        if isinstance(answer, BaseException) and (not found or not isinstance(answer, StoreDown)):
            raise answer
    return {key: value for one in found for key, value in one.items()}
