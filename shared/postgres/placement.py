"""Which PostgreSQL server holds each shard, with all tables of the shard together."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?\Z")


@dataclass(frozen=True)
class Placement:
    """The connection string of each shard's server: `dsns[shard]`."""

    dsns: tuple[str, ...]

    @classmethod
    def on_one(cls, dsn: str, shards: int) -> "Placement":
        """Return the placement of all shards on one server."""
        return cls((dsn,) * shards)

    @classmethod
    def of(cls, placed: Mapping[str, str], shards: int) -> "Placement":
        """Return the placement that a map of `0-3,6` to connection strings says.

        ValueError, which never quotes a connection string, where a shard of 0..`shards`-1 is placed twice or nowhere,
        another number is named, or a key is no list of numbers and ranges.
        """
        dsns: dict[int, str] = {}
        for named, dsn in placed.items():
            if not dsn.strip():
                raise ValueError(f"{named} names no server")
            for shard in _numbers(named):
                if shard >= shards:
                    raise ValueError(f"{named} names shard {shard}, and there are shards 0 to {shards - 1}")
                if shard in dsns:
                    raise ValueError(f"shard {shard} is placed twice")
                dsns[shard] = dsn
        missing = [shard for shard in range(shards) if shard not in dsns]
        if missing:
            raise ValueError(f"shard {missing[0]} is placed nowhere")
        return cls(tuple(dsns[shard] for shard in range(shards)))

    @property
    def servers(self) -> dict[str, tuple[int, ...]]:
        """Return the shards of each server."""
        found: dict[str, tuple[int, ...]] = {}
        for shard, dsn in enumerate(self.dsns):
            found[dsn] = (*found.get(dsn, ()), shard)
        return found

    def from_shard(self, shard: int) -> tuple[str, ...]:
        """Return all servers, the shard's own first."""
        own = self.dsns[shard]
        return (own, *(dsn for dsn in self.servers if dsn != own))


def _numbers(named: str) -> Iterator[int]:
    for part in named.split(","):
        found = _RANGE.match(part.strip())
        if found is None:
            raise ValueError(f"{named!r} is no list of shards: write numbers and ranges, as in 0-3,6")
        first = int(found[1])
        last = int(found[2] or first)
        if last < first:
            raise ValueError(f"{named!r} has a range that ends before it begins")
        yield from range(first, last + 1)
