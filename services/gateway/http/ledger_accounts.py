"""Ledger accounts: opened, frozen, unfrozen and closed by proposal and approval; read."""

from services.gateway.domain.direct import (
    ACCOUNT_CODE,
    FINAL_LEDGER_ACCOUNT,
    AccountName,
    LedgerAccountStatus,
    direct_stream,
)
from services.gateway.http.bodies.changes import ApprovalBody, EmptyBody
from services.gateway.http.bodies.direct import LedgerAccountBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.direct_views import DirectViews
from services.gateway.http.journals import Approvals
from services.gateway.http.posting import Change
from services.gateway.http.requests import Requests
from services.gateway.http.things import Sort, Things
from shared.clock import rfc3339
from shared.contracts.direct import AccountChange, AccountChangeRequested
from shared.http.call import Answer, Call, Handler, answer
from shared.http.problems import Problem

OPEN = "ledger-accounts.open"
OPENING = Sort("request", "req", "/v1/ledger-accounts/", FINAL_LEDGER_ACCOUNT)


class LedgerAccounts:
    """The handlers of /v1/ledger-accounts."""

    def __init__(self, things: Things, requests: Requests, approvals: Approvals, views: DirectViews) -> None:
        self._things = things
        self._requests = requests
        self._approvals = approvals
        self._views = views

    async def open(self, call: Call) -> Answer:
        """Commit the proposal to open a ledger account; its id is the same whoever asks."""
        call.key()
        body = parse(LedgerAccountBody, call.body)
        tenant = call.principal.tenant
        shard = self._things.shard_of(call, direct_stream(tenant))
        name = AccountName(body.code, body.sub_key, body.currency)
        account_id = name.id_in(tenant, shard)
        return await self._things.make(
            call,
            OPENING,
            OPEN,
            None,
            shard,
            lambda change_id: _requested(call, change_id, "open", account_id, name),
            lambda change_id: self._views.opened(tenant, change_id),
            Change(OPEN, account_id),
            OPENING.where + account_id,
        )

    def change(self, change: AccountChange) -> Handler:
        """Return the handler that commits the proposal of this change of the account that the address names."""

        async def propose(call: Call) -> Answer:
            call.key()
            parse(EmptyBody, call.body)
            tenant, account_id = call.principal.tenant, call.params[0]
            account = await self._views.ledger_account(tenant, account_id)
            name = AccountName(account.code, account.sub_key, account.currency)
            return await self._requests.submit(
                call,
                f"ledger-accounts.{change}",
                account_id,
                None,
                self._things.shard_of(call, direct_stream(tenant)),
                lambda change_id: _requested(call, change_id, change, account_id, name),
            )

        return propose

    async def approve(self, call: Call) -> Answer:
        """Commit somebody's yes or no to the change of the account that has the digest which they have seen."""
        call.key()
        body = parse(ApprovalBody, call.body)
        tenant, account_id = call.principal.tenant, call.params[0]
        await self._views.ledger_account(tenant, account_id)
        proposal_id = await self._views.proposal(tenant, account_id, body.digest)
        return await self._approvals.decide(call, "ledger-accounts.approval", account_id, proposal_id, body)

    async def read(self, call: Call) -> Answer:
        """Return a ledger account."""
        return answer(await self._views.ledger_account(call.principal.tenant, call.params[0]))

    async def page(self, call: Call) -> Answer:
        """Return a page of ledger accounts."""
        code, status = call.query.get("code"), call.query.get("status")
        if code is not None and not ACCOUNT_CODE.fullmatch(code):
            raise Problem("parameter_invalid", "code")
        if status is not None and status not in set(LedgerAccountStatus):
            raise Problem("parameter_invalid", "status")
        page = await self._views.ledger_accounts(
            call.principal.tenant,
            code,
            None if status is None else LedgerAccountStatus(status),
            call.query.get("cursor"),
            call.limit(),
        )
        return answer(page)


def _requested(
    call: Call, change_id: str, change: AccountChange, account_id: str, name: AccountName
) -> AccountChangeRequested:
    return AccountChangeRequested(
        account_id=direct_stream(call.principal.tenant),
        change_id=change_id,
        ledger_account_id=account_id,
        change=change,
        code=name.code,
        sub_key=name.sub_key,
        currency=name.currency,
        received_at=rfc3339(call.received_at),
    )
