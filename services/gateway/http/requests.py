"""POSTs that change a thing that exists: each has an id of its own, by which its outcome is found."""

from collections.abc import Callable

from services.gateway.domain.changes import FINAL_REQUEST, RequestStatus
from services.gateway.errors import Problem
from services.gateway.http.call import Answer, Call, answer
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.posting import Change, Posting, keyed, posted
from services.gateway.http.resources.changes import Request
from services.gateway.http.waiting import Outcomes
from shared.clock import rfc3339
from shared.contracts.event import Event
from shared.ids import thing_id

WHERE = "/v1/requests/"


class Requests:
    """Commits such requests for other handlers, and is the handler of /v1/requests."""

    def __init__(self, posting: Posting, lookups: Lookups, views: ChangeViews, outcomes: Outcomes) -> None:
        self._posting = posting
        self._lookups = lookups
        self._views = views
        self._outcomes = outcomes

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
        wait_s = call.wait_s()
        identity = keyed(call, operation, account_id, subject)
        request_id = thing_id("req", shard, identity.root)
        appended = await self._posting.append(
            call,
            identity,
            shard,
            "request",
            request_id,
            account_id,
            event(request_id),
            change=Change(operation, subject),
        )
        if wait_s:
            await self._outcomes.final(request_id, wait_s)
        resource = Request(
            request_id=request_id,
            operation=operation,
            subject=subject,
            account_id=account_id,
            status=RequestStatus.ACCEPTED,
            created_at=rfc3339(appended.recorded_at or call.received_at),
            position=f"gateway.{shard}.{appended.position}",
        )
        if appended.replayed or wait_s:
            resource = await self._views.request(request_id) or resource
        final = resource.status in FINAL_REQUEST
        return posted(resource, WHERE + request_id, final=final, replayed=appended.replayed, waited=wait_s)

    async def read(self, call: Call) -> Answer:
        """Return a request."""
        await self._lookups.thing(call.principal, "request", call.params[0])
        resource = await self._views.request(call.params[0])
        if resource is None:
            raise Problem("request_unknown")
        return answer(resource)
