"""Ledger accounts of direct entries: one code, sub-key and currency, opened by people before anything is posted there.

Facts of billing, reports and statements post where they say, whether people have opened the account or not.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from services.ledger.domain.limits import balance_key
from services.ledger.domain.shelves import Shelves
from shared.contracts.direct import DirectCode, LedgerAccountChanged
from shared.contracts.ledger import EntryPosted

Status = Literal["open", "frozen", "closed"]


class LedgerAccount(msgspec.Struct, frozen=True):
    """An account as it stands. `moved_minor`: debits less credits of its direct entries, not of billing's."""

    ledger_account_id: str
    code: DirectCode
    sub_key: str
    currency: str
    status: Status
    moved_minor: int = 0


class Accounts(Shelves[LedgerAccount], frozen=True):
    """Every account that was ever opened; a closed one stays closed."""

    def at(self, code: str, currency: str, sub_key: str) -> LedgerAccount | None:
        """Return the account, None where nobody opened it."""
        return self.find(balance_key(code, currency, sub_key))

    def is_in_another_currency(self, code: str, sub_key: str) -> bool:
        """Tell whether code and sub-key are known at all, by a search of all."""
        return any((one.code, one.sub_key) == (code, sub_key) for _, one in self.items())

    def changed(self, event: LedgerAccountChanged) -> "Accounts":
        """Return the accounts with one of them as it stands from now on."""
        known = self.at(event.code, event.currency, event.sub_key)
        account = LedgerAccount(
            event.ledger_account_id,
            event.code,
            event.sub_key,
            event.currency,
            event.status,
            0 if known is None else known.moved_minor,
        )
        return self.put(balance_key(event.code, event.currency, event.sub_key), account)

    def moved(self, entry: EntryPosted) -> "Accounts":
        """Return the accounts after an entry."""
        accounts = self
        for name, minor in moves_of(entry.currency, ((one.code, one.sub_key, one.side, one.amount_minor)
                                                     for one in entry.postings)).items():  # fmt: skip
            account = accounts.find(name)
            if account is not None:
                accounts = accounts.put(name, msgspec.structs.replace(account, moved_minor=account.moved_minor + minor))
        return accounts


def moves_of(currency: str, legs: Iterable[tuple[str, str, str, int]]) -> dict[str, int]:
    """Return what legs (code, sub-key, side, amount) add to each account, debits above zero, by the account's name."""
    moves: dict[str, int] = {}
    for code, sub_key, side, minor in legs:
        name = balance_key(code, currency, sub_key)
        moves[name] = moves.get(name, 0) + (minor if side == "D" else -minor)
    return moves
