"""Our balance at the processor, by currency: what can be paid out at a second, and what not yet."""

from deploy.simulators.card.store import Store

_SUMS = """
SELECT data ->> '$.currency', SUM(data ->> '$.net') FROM object
WHERE kind = 'balance_transaction' AND (data ->> '$.available_on' <= ?) = ? GROUP BY 1 ORDER BY 1
"""


def available(store: Store, now: int) -> dict[str, int]:
    return _sums(store, now, True)


def pending(store: Store, now: int) -> dict[str, int]:
    return _sums(store, now, False)


def _sums(store: Store, now: int, is_available: bool) -> dict[str, int]:
    return {str(currency): int(net or 0) for currency, net in store.rows(_SUMS, now, is_available)}
