"""GET /v1/events: the stories of some accounts as server-sent events, from now on or from where the caller was."""

from collections.abc import AsyncGenerator, Callable

from services.gateway.domain.following import MOST_FOLLOWED, Marks, marks_text, parse_marks, told
from services.gateway.http.database import Row
from services.gateway.http.limits import Slots
from services.gateway.http.lookups import Lookups
from services.gateway.http.rows import history_item
from services.gateway.http.stories import Stories
from shared.auth.tokens import Tokens
from shared.http.call import Call, Stream
from shared.http.problems import Problem
from shared.http.resource import encode

KEEP_ALIVE_S = 15.0
RETRY_MS = 1_000
UNBUFFERED = ((b"x-accel-buffering", b"no"),)


class Events:
    """The handler. `monotonic` reads the machine's time: a connection does not live by the stack's."""

    def __init__(
        self,
        lookups: Lookups,
        stories: Stories,
        tokens: Tokens,
        slots: Slots,
        monotonic: Callable[[], float],
        ending: Callable[[], bool],
    ) -> None:
        self._lookups = lookups
        self._stories = stories
        self._tokens = tokens
        self._slots = slots
        self._monotonic = monotonic
        self._ending = ending

    async def follow(self, call: Call) -> Stream:
        """Return a stream that ends with the caller's token, or with this process."""
        known = _last_event(call)
        accounts = await self._accounts(call)
        marks = {account: mark for account, mark in known.items() if account in accounts}
        marks |= await self._stories.ends(accounts - marks.keys())
        until = self._monotonic() + self._tokens.lasts_s(call.headers.get(b"authorization"))
        return Stream(self._parts(marks, until), self._slots.take(call.principal.id), headers=UNBUFFERED)

    async def _accounts(self, call: Call) -> frozenset[str]:
        """Return the account that is named, else all of the caller's token that there are."""
        principal, named = call.principal, call.query.get("account_id")
        if named is not None:
            await self._lookups.account(principal, named, "account_id")
            return frozenset({named})
        if principal.is_staff or not 0 < len(principal.accounts) <= MOST_FOLLOWED:
            raise Problem("parameter_invalid", "account_id")
        found = [account for account in principal.accounts if await self._lookups.is_known(principal, account)]
        if not found:
            raise Problem("account_unknown", "account_id")
        return frozenset(found)

    async def _parts(self, marks: Marks, until: float) -> AsyncGenerator[bytes]:
        yield opening(marks)
        while not self._ending() and (left := until - self._monotonic()) > 0:
            rows = await self._stories.after(marks, min(left, KEEP_ALIVE_S))
            parts = []
            for row in rows:
                marks = told(marks, row[-1], row[0], row[2])
                parts.append(event(row, marks))
            yield b"".join(parts) or b":\n\n"


def opening(marks: Marks) -> bytes:
    """Return what a stream begins with: how soon to come back, and from where, should no event come before."""
    return b"retry: %d\nid: %s\n\n" % (RETRY_MS, marks_text(marks).encode())


def event(row: Row, marks: Marks) -> bytes:
    """Return a fact, a row of `history`, as an event; `marks` are those after it."""
    item = history_item(row)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (marks_text(marks).encode(), item.type.encode(), encode(item))


def _last_event(call: Call) -> Marks:
    given = call.headers.get(b"last-event-id", b"").decode("latin-1")
    marks = parse_marks(given) if given else {}
    if marks is None:
        raise Problem("last_event_id_invalid", "Last-Event-ID")
    return marks
