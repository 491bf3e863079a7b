"""What only waits: for its time, or for another household's answer."""

from datetime import timedelta

from services.billing.domain.commands import ExpireHold
from services.billing.effects.outbox import PRINCIPAL, Outbox
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenHold, OpenTransfer
from shared.clock import Clock, parse_rfc3339
from shared.ids import root_of_key

TRANSFER_WITHIN = timedelta(minutes=10)


class Limits:
    """Ends holds in time, and tells of transfers that they take too long."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def hold(self, work: OpenHold) -> Next:
        """Cancel a held payment when its time is over."""
        until = parse_rfc3339(work.held_until)
        if self._clock.now() < until:
            return Again(until)
        command = ExpireHold(account_id=work.account_id, payment_id=work.payment_id)
        root = root_of_key(work.origin.tenant, PRINCIPAL, "hold", work.account_id, f"{work.payment_id}:expired")
        await self._outbox.submit(work.origin, command, root)
        return Ended()

    async def transfer(self, work: OpenTransfer) -> Next:
        """Look at a transfer after ten minutes: one that is still under way then has exceeded its limit."""
        now, limit = self._clock.now(), parse_rfc3339(work.sent_at) + TRANSFER_WITHIN
        if now < limit:
            return Again(limit)
        return Again(now + TRANSFER_WITHIN, exceeded="transfer")
