"""The reconciliation: days and exceptions are read, exceptions are explained."""

from services.gateway.domain.fields import is_day
from services.gateway.domain.reconciliation import ACCOUNTS, ExceptionState, stream_of
from services.gateway.http.bodies.finance import ExplanationBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.database import Reads
from services.gateway.http.finance_views import FinanceViews
from services.gateway.http.people import People, noted
from services.gateway.http.posting import Posting
from services.gateway.http.requests import Requests
from shared.auth.roles import reads_notes
from shared.clock import rfc3339
from shared.contracts.gateway import ExplanationRequested
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem

MOST_ID = 64


class Reconciliation:
    """The handlers of /v1/reconciliation."""

    def __init__(self, requests: Requests, posting: Posting, reads: Reads, views: FinanceViews, people: People) -> None:
        self._requests = requests
        self._posting = posting
        self._reads = reads
        self._views = views
        self._people = people

    async def day(self, call: Call) -> Answer:
        """Return what a day came to."""
        day = call.params[0]
        if not is_day(day):
            raise Problem("day_unknown")
        return answer(await self._views.day(call.principal.tenant, day))

    async def exceptions(self, call: Call) -> Answer:
        """Return a page of exceptions, the oldest first."""
        state, account = call.query.get("state"), call.query.get("account")
        if state is not None and state not in set(ExceptionState):
            raise Problem("parameter_invalid", "state")
        if account is not None and account not in ACCOUNTS:
            raise Problem("parameter_invalid", "account")
        page = await self._views.exceptions(
            call.principal.tenant,
            None if state is None else ExceptionState(state),
            account,
            call.query.get("cursor"),
            call.limit(),
            with_notes=reads_notes(call.principal.role),
        )
        return answer(page)

    async def explain(self, call: Call) -> Answer:
        """Seal the note, then commit why an exception is open; whether it still is, only the ledger can know."""
        call.key()
        body = parse(ExplanationBody, call.body)
        exception_id, principal = call.params[0], call.principal
        known = {"tenant": principal.tenant, "id": exception_id}
        rows = await self._reads.run("exception", known) if _is_id(exception_id) else []
        if not rows:
            raise Problem("exception_unknown")
        account, sub_key = rows[0]
        version = await noted(self._people, principal.tenant, principal.id, body.note)
        return await self._requests.submit(
            call,
            "reconciliation.explanation",
            exception_id,
            None,
            self._posting.shard_of(call, stream_of(account, sub_key)),
            lambda request_id: ExplanationRequested(
                request_id=request_id,
                exception_id=exception_id,
                account=account,
                sub_key=sub_key,
                reason=body.reason,
                note_version=version,
                received_at=rfc3339(call.received_at),
            ),
        )


def _is_id(text: str) -> bool:
    return len(text) <= MOST_ID and text.isascii() and text.isprintable()
