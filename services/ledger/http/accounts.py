"""Which shard an account is on, and what is said of one that nothing is known of."""

from services.ledger.http.reaching import Reaching
from services.ledger.http.reads import Reads
from shared.contracts.envelope import open_envelope
from shared.eventlog.packing import unpack
from shared.http.call import Call
from shared.http.problems import Problem
from shared.ids import shard_of

REMEMBERED = 100_000


class Accounts:
    """Households, and the streams of processors, bank accounts and journals, of the caller's tenant."""

    def __init__(self, reads: Reads, reaching: Reaching, shards: int) -> None:
        self._reads = reads
        self._reaching = reaching
        self._shards = shards
        self._tenants: dict[str, str] = {}

    def shard_of(self, call: Call, account_id: str) -> int:
        """Return the shard of an account, whether it exists or not."""
        return shard_of(call.principal.tenant, account_id, self._shards)

    async def check(self, call: Call, account_id: str) -> None:
        """Return where the account is the caller's tenant's; any other is unknown."""
        if not await self.is_own(call, account_id):
            raise Problem("account_unknown", "account_id")

    async def is_own(self, call: Call, account_id: str) -> bool:
        """Tell whether an account is there and is the caller's tenant's: its first event says so, for ever."""
        tenant = self._tenants.get(account_id)
        if tenant is None:
            shard = self.shard_of(call, account_id)
            rows = await self._reads.ask("stream_begins", account_id.encode(), shard=shard)
            if not rows:
                return False
            tenant = open_envelope(unpack(rows[0][0])).tenant
            if len(self._tenants) >= REMEMBERED:
                del self._tenants[next(iter(self._tenants))]
            self._tenants[account_id] = tenant
        return tenant == call.principal.tenant

    async def be_empty(self, call: Call, account_id: str) -> None:
        """Return where nothing is to be shown of an account, because nothing was booked there yet.

        One that does not exist, or is somebody else's, is unknown; one whose log is further than the projections here
        is not ready.
        """
        await self.check(call, account_id)
        await self.be_whole(self.shard_of(call, account_id))

    async def be_whole(self, shard: int) -> None:
        """Return where the projections here have folded all of a shard's log; else what is not found may be there."""
        if not await self._reaching.is_whole(shard):
            raise Problem("history_not_ready", headers=((b"retry-after", b"1"),))
