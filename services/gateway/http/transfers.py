"""Between households: transfers of credit, and merges; asked for by finance, and read."""

from services.gateway.domain.changes import FINAL_MERGE, FINAL_TRANSFER
from services.gateway.http.bodies.changes import MergeBody, TransferBody
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.lookups import Lookups
from services.gateway.http.things import Sort, Things
from shared.clock import rfc3339
from shared.contracts.gateway import MergeRequested, TransferRequested
from shared.http.call import Answer, Call, answer

TRANSFER = Sort("transfer", "trf", "/v1/transfers/", FINAL_TRANSFER)
MERGE = Sort("merge", "mrg", "/v1/merges/", FINAL_MERGE)


class BetweenHouseholds:
    """The handlers of /v1/transfers and /v1/merges."""

    def __init__(self, things: Things, lookups: Lookups, views: ChangeViews) -> None:
        self._things = things
        self._lookups = lookups
        self._views = views

    async def transfer(self, call: Call) -> Answer:
        """Commit the request to move credit."""
        call.key()
        body = parse(TransferBody, call.body)
        await self._both(call, body)
        return await self._things.make(
            call,
            TRANSFER,
            "transfers.create",
            body.account_id,
            self._things.shard_of(call, body.account_id),
            lambda transfer_id: TransferRequested(
                transfer_id=transfer_id,
                account_id=body.account_id,
                to_account_id=body.to_account_id,
                amount_minor=body.amount.minor,
                currency=body.amount.currency,
                reason=body.reason,
                received_at=rfc3339(call.received_at),
            ),
            self._views.transfer,
        )

    async def merge(self, call: Call) -> Answer:
        """Commit the request to make one household part of another."""
        call.key()
        body = parse(MergeBody, call.body)
        await self._both(call, body)
        return await self._things.make(
            call,
            MERGE,
            "merges.create",
            body.account_id,
            self._things.shard_of(call, body.account_id),
            lambda merge_id: MergeRequested(
                merge_id=merge_id,
                account_id=body.account_id,
                to_account_id=body.to_account_id,
                received_at=rfc3339(call.received_at),
            ),
            self._views.merge,
        )

    async def _both(self, call: Call, body: TransferBody | MergeBody) -> None:
        await self._lookups.account(call.principal, body.account_id, "/account_id")
        await self._lookups.account(call.principal, body.to_account_id, "/to_account_id")

    async def read_transfer(self, call: Call) -> Answer:
        """Return a transfer."""
        await self._lookups.thing(call.principal, "transfer", call.params[0])
        return answer(await self._views.transfer(call.params[0]))

    async def read_merge(self, call: Call) -> Answer:
        """Return a merge."""
        await self._lookups.thing(call.principal, "merge", call.params[0])
        return answer(await self._views.merge(call.params[0]))
