"""What the processor does by itself later: settles, lets refunds end, pays out, executes held calls, forgets keys."""

import asyncio
import time

import msgspec

from deploy.simulators.card import balance, intents, payouts, refunds
from deploy.simulators.card.api import HELD, KEYS_KEPT_S, Api, Request
from deploy.simulators.card.journal import Journal
from deploy.simulators.card.lists import bytes_of
from deploy.simulators.card.objects import Charge, Decision, Intent, Payout, Refund
from deploy.simulators.card.payouts import PAY_OUT, PayoutAsk
from deploy.simulators.card.settings import Current
from deploy.simulators.card.store import Store

LOOK_EVERY_S = 0.1
PRUNE_EVERY_S = 5.0
_LAST_PAYOUT = """
SELECT MAX(created) FROM object WHERE kind = 'payout' AND data ->> '$.automatic' AND data ->> '$.currency' = ?
"""
_PRUNE = "DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE created <= ? LIMIT 500)"


class Timers:
    """Runs what is due; a timer's row goes in the transaction that does its work."""

    def __init__(self, store: Store, journal: Journal, current: Current, api: Api) -> None:
        self._store, self._journal, self._current, self._api = store, journal, current, api
        self._woken = asyncio.Event()
        self._pruned_at = 0.0
        journal.wake_timers = self._woken.set

    async def run(self) -> None:
        """Look for due work until cancelled; the stack clock may jump, so it looks often."""
        while True:
            self._woken.clear()
            await self.run_due()
            self._prune()
            [(waiting,)] = self._store.rows("SELECT COUNT(*) FROM timer")
            wait_s = LOOK_EVERY_S if waiting else PRUNE_EVERY_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def run_due(self) -> None:
        sql = "SELECT seq, act, about FROM timer WHERE due_at <= ? ORDER BY due_at, seq LIMIT 100"
        for seq, act, about in self._store.rows(sql, self._journal.seconds()):
            self._store.write("DELETE FROM timer WHERE seq = ?", seq)
            if act == HELD:
                await self._api.handle(msgspec.json.decode(bytes_of(about), type=Request), was_held=True)
                continue
            if act == PAY_OUT:
                self._pay_out()
                continue
            decision = self._decide(str(act), bytes_of(about).decode())
            if decision is not None:
                self._journal.record(decision, None, None)
        await self._store.committed()

    def _decide(self, act: str, object_id: str) -> Decision | None:
        moment = self._journal.moment()
        match act:
            case "settle_intent":
                intent = self._store.load(Intent, object_id)
                return intents.settle(intent, self._current.terms, moment) if intent else None
            case "settle_refund":
                refund = self._store.load(Refund, object_id)
                return refunds.settle(refund) if refund else None
            case "fail_refund":
                refund = self._store.load(Refund, object_id)
                charge = self._store.load(Charge, refund.charge) if refund else None
                if refund is None or charge is None:
                    return None
                return refunds.fail(refund, charge, "lost_or_stolen_card", moment)
            case "settle_payout":
                payout = self._store.load(Payout, object_id)
                return payouts.settle(payout) if payout else None
        raise ValueError(f"unknown timer act {act}")

    def _pay_out(self) -> None:
        """Pay out what is available of each currency, once a day, and come again when the next day begins."""
        moment, zone = self._journal.moment(), self._current.payout_zone
        for currency, available in balance.available(self._store, moment.now).items():
            [(last,)] = self._store.rows(_LAST_PAYOUT, currency)
            paid_today = isinstance(last, int) and payouts.day_of(last, zone) == payouts.day_of(moment.now, zone)
            if available > 0 and not paid_today:
                ask = PayoutAsk(currency=currency)
                decision = payouts.create(ask, available, self._current.terms, moment, automatic=True)
                self._journal.record(decision, None, None)
        self._journal.add_timer(payouts.until_next_day_s(moment.now, zone), PAY_OUT, b"")

    def _prune(self) -> None:
        now = time.monotonic()
        if now - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now
            self._store.write(_PRUNE, int(self._journal.seconds()) - KEYS_KEPT_S)
