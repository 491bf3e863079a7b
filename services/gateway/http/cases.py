"""Duplicate cases: listed, read, decided."""

from services.gateway.domain.changes import CaseStatus
from services.gateway.http.bodies.changes import CaseDecisionBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.requests import Requests
from shared.clock import rfc3339
from shared.contracts.gateway import CaseDecisionRequested
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem


class Cases:
    """The handlers of /v1/duplicate-cases."""

    def __init__(self, requests: Requests, lookups: Lookups, views: ChangeViews) -> None:
        self._requests = requests
        self._lookups = lookups
        self._views = views

    async def page(self, call: Call) -> Answer:
        """Return a page of cases: of the account that is named, else of all that the caller may know of."""
        limit, account_id, word = call.limit(), call.query.get("account_id"), call.query.get("status")
        if word is not None and word not in set(CaseStatus):
            raise Problem("parameter_invalid", "status")
        accounts: list[str] | None = None if call.principal.is_staff else sorted(call.principal.accounts)
        if account_id is not None:
            await self._lookups.account(call.principal, account_id, "account_id")
            accounts = [account_id]
        status = None if word is None else CaseStatus(word)
        cursor = call.query.get("cursor")
        return answer(await self._views.case_page(call.principal.tenant, accounts, status, cursor, limit))

    async def read(self, call: Call) -> Answer:
        """Return a case."""
        await self._lookups.thing(call.principal, "case", call.params[0])
        return answer(await self._views.case(call.params[0]))

    async def decide(self, call: Call) -> Answer:
        """Commit what shall become of the money."""
        call.key()
        body = parse(CaseDecisionBody, call.body)
        return await self._requests.of_household(
            call,
            "duplicate-cases.decision",
            "case",
            lambda request_id, account_id, case_id: CaseDecisionRequested(
                request_id=request_id,
                account_id=account_id,
                case_id=case_id,
                decision=body.decision,
                received_at=rfc3339(call.received_at),
            ),
        )
