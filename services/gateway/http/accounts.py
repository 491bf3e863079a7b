"""Accounts: opened by staff, and what a member may ask about one."""

from services.gateway.domain.fields import is_day
from services.gateway.domain.payment import AccountStatus, PaymentStatus
from services.gateway.http.bodies.household import AccountBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.database import Reads
from services.gateway.http.lookups import Lookups
from services.gateway.http.people import People, sealed
from services.gateway.http.posting import Posting, keyed, posted
from services.gateway.http.resources.household import Account
from services.gateway.http.views import Views
from services.gateway.http.waiting import Outcomes
from shared.clock import rfc3339
from shared.contracts.gateway import AccountRequested
from shared.errors import Conflict
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem
from shared.ids import account_id, base32

OPERATION = "accounts.create"
WHERE = "/v1/accounts/"


class Accounts:
    """The handlers of /v1/accounts."""

    def __init__(
        self,
        posting: Posting,
        lookups: Lookups,
        views: Views,
        outcomes: Outcomes,
        reads: Reads,
        people: People,
    ) -> None:
        self._posting = posting
        self._outcomes = outcomes
        self._lookups = lookups
        self._views = views
        self._reads = reads
        self._people = people

    async def create(self, call: Call) -> Answer:
        """Seal name and address, then commit the request. A repeat is met first, so that it stores no person again."""
        call.key()
        body = parse(AccountBody, call.body)
        identity = keyed(call, OPERATION, None)
        account = account_id(identity.root)
        wait_s = call.wait_s()
        stored = await self._reads.run("digest", {"id": account})
        if stored:
            if bytes(stored[0][0]) != identity.digest:
                raise Conflict(f"this key stands for {account}", account)
            return await self._present(account, wait_s, replayed=True)
        shard = self._posting.shard_of(call, account)
        member = "mem_" + base32(identity.root)
        contact = await sealed(self._people, call.principal.tenant, member, {"name": body.name, "email": body.email})
        event = AccountRequested(
            account_id=account,
            member_id=member,
            language=body.language,
            contact=contact,
            received_at=rfc3339(call.received_at),
        )
        appended = await self._posting.append(call, identity, shard, "account", account, account, event)
        if appended.replayed or wait_s:
            return await self._present(account, wait_s, replayed=appended.replayed)
        resource = Account(
            account_id=account,
            status=AccountStatus.ACCEPTED,
            language=body.language,
            created_at=rfc3339(appended.recorded_at or call.received_at),
            position=f"gateway.{shard}.{appended.position}",
        )
        return posted(resource, WHERE + account, final=False, replayed=False)

    async def _present(self, account: str, wait_s: int, *, replayed: bool) -> Answer:
        if wait_s:
            await self._outcomes.final(account, wait_s)
        resource = await self._views.account(account)
        if resource is None:
            raise Problem("account_unknown")
        final = resource.status is not AccountStatus.ACCEPTED
        return posted(resource, WHERE + account, final=final, replayed=replayed, waited=wait_s)

    async def read(self, call: Call) -> Answer:
        """Return an account with what is due and its last payments."""
        resource = await self._views.account(await self._known(call))
        if resource is None:
            raise Problem("account_unknown")
        return answer(resource)

    async def balances(self, call: Call) -> Answer:
        """Return the ledger's balances."""
        account = await self._known(call)
        return answer(await self._views.balances(account, self._posting.shard_of(call, account)))

    async def history(self, call: Call) -> Answer:
        """Return a page of the account's facts."""
        account, limit = await self._known(call), call.limit()
        shard = self._posting.shard_of(call, account)
        return answer(await self._views.history(account, shard, call.query.get("cursor"), limit))

    async def invoices(self, call: Call) -> Answer:
        """Return a page of the account's invoices."""
        account, limit = await self._known(call), call.limit()
        shard = self._posting.shard_of(call, account)
        return answer(await self._views.invoice_page(account, shard, call.query.get("cursor"), limit))

    async def payments(self, call: Call) -> Answer:
        """Return a page of the account's payments."""
        account, limit = await self._known(call), call.limit()
        filters = {name: call.query[name] for name in ("status", "from", "to") if name in call.query}
        if "status" in filters and filters["status"] not in set(PaymentStatus):
            raise Problem("parameter_invalid", "status")
        for name in ("from", "to"):
            if name in filters and not is_day(filters[name]):
                raise Problem("parameter_invalid", name)
        shard = self._posting.shard_of(call, account)
        return answer(await self._views.payment_page(account, shard, call.query.get("cursor"), limit, filters))

    async def _known(self, call: Call) -> str:
        await self._lookups.account(call.principal, call.params[0])
        return call.params[0]
