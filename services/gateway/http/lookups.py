"""Which ids exist, and whose they are: rows of table `request` never change, so what was once found stays true."""

import msgspec

from services.gateway.domain.fields import ACCOUNT_ID, THING_ID
from services.gateway.domain.roles import Principal, reaches
from services.gateway.errors import Problem
from services.gateway.http.database import Reads

REMEMBERED = 100_000


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
        if not ACCOUNT_ID.fullmatch(account_id) or not reaches(principal, account_id):
            raise Problem("account_unknown", field)
        known = self._known.get(account_id) or await self._find(account_id)
        if known is None or known.tenant != principal.tenant or known.kind != "account":
            raise Problem("account_unknown", field)

    async def invoice_of(self, account_id: str, invoice_id: str, field: str | None = None) -> None:
        """Return where the invoice is of this account."""
        known = self._known.get(invoice_id)
        if known is None and THING_ID.fullmatch(invoice_id):
            known = await self._find(invoice_id)
        if known is None or known.kind != "invoice" or known.account_id != account_id:
            raise Problem("invoice_unknown", field)

    async def thing(self, principal: Principal, kind: str, thing_id: str) -> None:
        """Return where the caller may know of this invoice or payment; else it is unknown, to this caller."""
        known = self._known.get(thing_id)
        if known is None and THING_ID.fullmatch(thing_id):
            known = await self._find(thing_id)
        mine = known is not None and known.tenant == principal.tenant and reaches(principal, known.account_id)
        if known is None or not mine or known.kind != kind:
            raise Problem(f"{kind}_unknown")

    async def _find(self, thing_id: str) -> Known | None:
        rows = await self._reads.run("known", {"id": thing_id})
        if not rows:
            return None
        known = Known(*rows[0][1:])
        self.learn(thing_id, known)
        return known
