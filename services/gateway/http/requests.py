"""POSTs that change a thing that exists: each has an id of its own, by which its outcome is found."""

from collections.abc import Callable

from services.gateway.domain.changes import FINAL_REQUEST
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.posting import Change
from services.gateway.http.things import Sort, Things
from shared.contracts.event import Event
from shared.http.call import Answer, Call, answer

REQUEST = Sort("request", "req", "/v1/requests/", FINAL_REQUEST)


class Requests:
    """Commits such requests for other handlers, and is the handler of /v1/requests."""

    def __init__(self, things: Things, lookups: Lookups, views: ChangeViews) -> None:
        self._things = things
        self._lookups = lookups
        self._views = views

    async def submit(
        self,
        call: Call,
        operation: str,
        subject: str,
        account_id: str | None,
        shard: int,
        event: Callable[[str], Event],
    ) -> Answer:
        """Commit what `event` makes of the request's id, and answer with the request.

        The body is parsed before, and whether the caller may know `subject` is asked before. `account_id` is None
        where the subject is of no household.
        """
        change = Change(operation, subject)
        return await self._things.make(call, REQUEST, operation, account_id, shard, event, self._views.request, change)

    async def of_household(
        self, call: Call, operation: str, kind: str, event: Callable[[str, str, str], Event]
    ) -> Answer:
        """Commit what `event` makes of the ids of request, account and the household's thing that the address names."""
        subject = call.params[0]
        account_id = await self._lookups.household_of(call.principal, kind, subject)
        shard = self._things.shard_of(call, account_id)
        return await self.submit(
            call, operation, subject, account_id, shard, lambda request_id: event(request_id, account_id, subject)
        )

    async def read(self, call: Call) -> Answer:
        """Return a request."""
        await self._lookups.thing(call.principal, "request", call.params[0])
        return answer(await self._views.request(call.params[0]))
