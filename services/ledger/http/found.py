"""Entries as the log holds them, found by their places."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import msgspec

from services.ledger.http.reads import Reads
from shared.contracts.ledger import EntryPosted
from shared.eventlog.packing import unpack
from shared.http.call import Call
from shared.postgres.binary import int8
from shared.postgres.reader import Row

AT_ONCE = 500


class Seen(msgspec.Struct, gc=False):
    """What is read of an envelope; the payload is opened where somebody asks for it."""

    tenant: str
    type: str
    recorded_at: str
    payload: msgspec.Raw


_see = msgspec.json.Decoder(Seen).decode
_open = msgspec.json.Decoder(EntryPosted).decode


class Found(NamedTuple):
    """An event and its place; `order` is what its page is ordered by."""

    shard: int
    position: int
    order: Any
    seen: Seen

    @property
    def place(self) -> str:
        """How callers see where it stands."""
        return f"ledger.{self.shard}.{self.position}"

    @property
    def entry(self) -> EntryPosted:
        """The entry that it is."""
        return _open(self.seen.payload)


def of_tenant(call: Call, rows: Iterable[Row]) -> list[Found]:
    """Return rows of shard, position, order and stored event that are the caller's tenant's."""
    tenant, found = call.principal.tenant, []
    for shard, position, order, data in rows:
        seen = _see(unpack(data))
        if seen.tenant == tenant:
            found.append(Found(shard, position, order, seen))
    return found


async def stream_of(call: Call, reads: Reads, account_id: str, shard: int) -> AsyncIterator[Found]:
    """Yield the entries of an account's stream, the oldest first; what they are ordered by is their version."""
    version = 0
    while True:
        rows = await reads.ask("stream_from", account_id.encode(), int8(version), int8(AT_ONCE), shard=shard)
        for found in of_tenant(call, rows):
            yield found
        if len(rows) < AT_ONCE:
            return
        version = rows[-1][2]
