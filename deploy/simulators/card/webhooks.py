"""Signed webhooks: at least once, in no promised order, with back-off for three days of the stack's time."""

import asyncio
import hashlib
import hmac

import aiohttp

from deploy.simulators.card.journal import Journal
from deploy.simulators.card.lists import bytes_of
from deploy.simulators.card.store import Store

AT_ONCE = 16
ANSWER_WITHIN_S = 10.0
GIVE_UP_AFTER_S = 3 * 86_400
LONGEST_BACK_OFF_S = 6 * 3_600
LOOK_EVERY_S = 0.1
_DUE = """
SELECT delivery.seq, event_id, first_at, attempts, data FROM delivery JOIN object ON object.id = event_id
WHERE due_at <= ? ORDER BY due_at, delivery.seq LIMIT ?
"""


def signature(secret: str, body: bytes, second: int) -> str:
    """Return the `Stripe-Signature` header: HMAC-SHA256 over second, dot, body."""
    v1 = hmac.new(secret.encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={second},v1={v1}"


def back_off_s(attempts: int) -> int:
    """Return how long to wait after so many failed tries: 1, 2, 4, ... seconds, at most six hours."""
    return min(LONGEST_BACK_OFF_S, 1 << min(attempts - 1, 20))


class Webhooks:
    """Sends what is due; a delivery's row goes when it was answered with a 2xx, so a restart goes on."""

    def __init__(self, store: Store, journal: Journal, url: str, secret: str) -> None:
        self._store, self._journal, self._url, self._secret = store, journal, url, secret
        self._woken = asyncio.Event()
        self._sending: dict[int, asyncio.Task[None]] = {}
        journal.wake_webhooks = self._woken.set

    async def run(self) -> None:
        """Send until cancelled; the stack clock may jump, so it looks often while something waits."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            try:
                while True:
                    self._woken.clear()
                    await self._store.committed()
                    waiting = self._start_due(session)
                    try:
                        async with asyncio.timeout(LOOK_EVERY_S if waiting else None):
                            await self._woken.wait()
                    except TimeoutError:
                        continue
            finally:
                for task in self._sending.values():
                    task.cancel()

    def _start_due(self, session: aiohttp.ClientSession) -> bool:
        """Start what is due and fits; return whether anything waits for its time."""
        now = self._journal.seconds()
        for seq, event_id, first_at, attempts, data in self._store.rows(_DUE, now, AT_ONCE * 2):
            assert isinstance(seq, int)
            assert isinstance(attempts, int)
            assert isinstance(first_at, float)
            if seq in self._sending or len(self._sending) >= AT_ONCE:
                continue
            sending = self._send(session, seq, str(event_id), first_at, attempts + 1, bytes_of(data))
            self._sending[seq] = asyncio.create_task(sending)
        return bool(self._store.rows("SELECT 1 FROM delivery LIMIT 1"))

    async def _send(
        self, session: aiohttp.ClientSession, seq: int, event_id: str, first_at: float, attempts: int, body: bytes
    ) -> None:
        try:
            taken = await self._post(session, body)
            now = self._journal.seconds()
            if taken:
                self._store.write("DELETE FROM delivery WHERE seq = ?", seq)
                self._store.write("UPDATE delivery SET due_at = ?, swapped = 0 WHERE swapped = 1 AND seq < ?", now, seq)
            elif now - first_at > GIVE_UP_AFTER_S:
                self._store.write("DELETE FROM delivery WHERE seq = ?", seq)
                print(f"card simulator: gave up sending {event_id} after {attempts} tries", flush=True)
            else:
                sql = "UPDATE delivery SET attempts = ?, due_at = ? WHERE seq = ?"
                self._store.write(sql, attempts, now + back_off_s(attempts), seq)
        finally:
            del self._sending[seq]
            self._woken.set()

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        """Return whether the receiver answered with a 2xx."""
        second = int(self._journal.seconds())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(self._secret, body, second),
            "User-Agent": "Stripe/1.0",
        }
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
