"""Which keyed commands are in the log already: asked for the next round while this one is still being decided."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.eventlog.ports import EventRow

Keyed = Mapping[bytes, EventRow]
"""First events of commands, by their ids."""
Find = Callable[[Sequence[bytes]], Awaitable[Keyed]]


class Lookup:
    """One question ahead at most. `find` asks the store and insists until it answers."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._asked: frozenset[bytes] = frozenset()
        self._on_the_way: tuple[Keyed, ...] = ()
        self._answer: asyncio.Future[Keyed] | None = None

    @property
    def is_ahead(self) -> bool:
        """Tell whether a question ahead stands."""
        return self._answer is not None

    def ask_ahead(self, ids: Sequence[bytes], *on_the_way: Keyed) -> None:
        """Begin to ask after `ids`, which the next `known` will be about.

        `on_the_way` are events that are decided and perhaps not stored yet when the store looks: they count as known.
        """
        self._asked, self._on_the_way = frozenset(ids), on_the_way
        self._answer = asyncio.ensure_future(self._find(ids))

    async def known(self, ids: Sequence[bytes], *on_the_way: Keyed) -> Keyed:
        """Return the events of `ids` that are stored or on the way, by id."""
        found: dict[bytes, EventRow] = {}
        answer, self._answer = self._answer, None
        asked = self._asked if answer is not None else frozenset()
        late = [one for one in ids if one not in asked and not any(one in keyed for keyed in on_the_way)]
        if answer is not None:
            found.update(await answer)
            on_the_way = (*self._on_the_way, *on_the_way)
        if late:
            found.update(await self._find(late))
        for keyed in on_the_way:
            found.update(keyed)
        return found

    async def close(self) -> None:
        """End a question that stands."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
