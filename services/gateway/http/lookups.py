"""Which ids exist, and whose they are: whose a thing is never changes, so what was once found stays true."""

import msgspec

from services.gateway.domain.fields import ACCOUNT_ID, THING_ID
from services.gateway.http.database import Reads
from shared.auth.roles import Principal, reaches
from shared.http.problems import Problem

REMEMBERED = 100_000
MADE_BY_BILLING = ("inv_", "case_", "rfd_", "trf_")


class Known(msgspec.Struct, frozen=True, gc=False):
    """A thing of a tenant, and of an account where it is a household's."""

    tenant: str
    kind: str
    account_id: str | None


class Lookups:
    """Remembers what exists, never what does not."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._known: dict[str, Known] = {}

    def learn(self, thing_id: str, known: Known) -> None:
        """Take note of a thing that was committed."""
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[thing_id] = known

    async def account(self, principal: Principal, account_id: str, field: str | None = None) -> None:
        """Return where the caller may know of the account; else it is unknown, to this caller."""
        if not await self.is_known(principal, account_id):
            raise Problem("account_unknown", field)

    async def is_known(self, principal: Principal, account_id: str) -> bool:
        """Tell whether there is such an account that the caller may know of."""
        if not ACCOUNT_ID.fullmatch(account_id) or not reaches(principal, account_id):
            return False
        known = self._known.get(account_id) or await self._find(account_id)
        return known is not None and known.tenant == principal.tenant and known.kind == "account"

    async def part_of(self, account_id: str, kind: str, thing_id: str, field: str | None = None) -> None:
        """Return where the invoice or payment is of this account."""
        known = await self._thing(thing_id)
        if known is None or known.kind != kind or known.account_id != account_id:
            raise Problem(f"{kind}_unknown", field)

    async def policy_of(self, invoice_id: str, policy_id: str, field: str) -> None:
        """Return where the policy is on the bill, which exists."""
        if (policy_id,) not in await self._reads.run("policies", {"id": invoice_id}):
            raise Problem("policy_unknown", field)

    async def household_of(self, principal: Principal, kind: str, thing_id: str) -> str:
        """Return the account of a thing of a household that the caller may know of; to others it is unknown."""
        account_id = await self.thing(principal, kind, thing_id)
        if account_id is None:
            raise Problem(f"{kind}_unknown")
        return account_id

    async def thing(self, principal: Principal, kind: str, thing_id: str) -> str | None:
        """Return the account, if any, of a thing that the caller may know of; else it is unknown, to this caller."""
        known = await self._thing(thing_id)
        mine = known is not None and known.tenant == principal.tenant and reaches(principal, known.account_id)
        if known is None or not mine or known.kind != kind:
            raise Problem(f"{kind}_unknown")
        return known.account_id

    async def _thing(self, thing_id: str) -> Known | None:
        known = self._known.get(thing_id)
        if known is None and THING_ID.fullmatch(thing_id):
            known = await self._find(thing_id)
        return known

    async def _find(self, thing_id: str) -> Known | None:
        """Look among what was asked for, then among what billing made of itself."""
        rows = await self._reads.run("known", {"id": thing_id})
        if not rows and thing_id.startswith(MADE_BY_BILLING):
            rows = await self._reads.run("made", {"id": thing_id})
        if not rows:
            return None
        known = Known(*rows[0][1:])
        self.learn(thing_id, known)
        return known
