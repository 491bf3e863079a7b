"""What POSTs have in common that make a thing with an id of its own: committed, waited for, shown."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from services.gateway.http.posting import Change, Posting, keyed, posted
from services.gateway.http.waiting import Outcomes
from shared.contracts.event import Event
from shared.http.call import Answer, Call
from shared.ids import thing_id


class Shown(Protocol):
    """A resource that says where it is."""

    @property
    def status(self) -> StrEnum: ...


S = TypeVar("S", bound=Shown)


class Sort(msgspec.Struct, frozen=True):
    """A sort of thing: its name in table `request`, the beginning of its ids, its address, which statuses are final."""

    kind: str
    prefix: str
    where: str
    final: frozenset[StrEnum]


class Things:
    """Commits what a POST asks for, then answers with the thing as it is known by then."""

    def __init__(self, posting: Posting, outcomes: Outcomes) -> None:
        self._posting = posting
        self._outcomes = outcomes

    def shard_of(self, call: Call, account_id: str) -> int:
        """Return the shard of a household, or of another stream."""
        return self._posting.shard_of(call, account_id)

    async def make(
        self,
        call: Call,
        sort: Sort,
        operation: str,
        account_id: str | None,
        shard: int,
        event: Callable[[str], Event],
        read: Callable[[str], Awaitable[S]],
        change: Change | None = None,
        where: str = "",
    ) -> Answer:
        """Commit what `event` makes of the thing's id; `read` then shows it. Body and rights are looked at before.

        `where` is the address at which it is found, where that is not one of its own.
        """
        wait_s = call.wait_s()
        identity = keyed(call, operation, account_id, change.subject if change else None)
        made = thing_id(sort.prefix, shard, identity.root)
        appended = await self._posting.append(
            call, identity, shard, sort.kind, made, account_id, event(made), change=change
        )
        if wait_s:
            await self._outcomes.final(made, wait_s)
        shown = await read(made)
        final = shown.status in sort.final
        return posted(shown, where or sort.where + made, final=final, replayed=appended.replayed, waited=wait_s)
