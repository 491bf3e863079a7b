"""What the accounts allow (I-05), for facts that cannot be refused: the overflow goes to a suspense account."""

from collections.abc import Sequence

import msgspec

from services.ledger.domain.chart import LIMITED
from services.ledger.domain.shelves import Shelves
from shared.contracts.ledger import AccountCode, Posting

RECOVERY: AccountCode = "1250"
SUSPENSE: AccountCode = "1290"


class Balances(Shelves[int], frozen=True):
    """What the accounts with a limit hold, above zero on their normal side, by `balance_key`."""

    def minor(self, name: str) -> int:
        """Return a balance; 0 where there never was one."""
        return self.find(name) or 0


class Overflow(msgspec.Struct, frozen=True):
    """By how much a fact would have pushed an account below zero."""

    code: AccountCode
    sub_key: str
    minor: int


def balance_key(code: str, currency: str, sub_key: str) -> str:
    """Return the name of a balance in a household's state."""
    return f"{code}/{currency}/{sub_key}"


def posted(balances: Balances, currency: str, postings: Sequence[Posting]) -> Balances:
    """Return the balances after these postings; only accounts with a limit are kept."""
    moved: dict[str, int] = {}
    for posting in postings:
        normal = LIMITED.get(posting.code)
        if normal is None:
            continue
        name = f"{posting.code}/{currency}/{posting.sub_key}"
        before = moved[name] if name in moved else balances.minor(name)
        moved[name] = before + (posting.amount_minor if posting.side == normal else -posting.amount_minor)
    return balances.put_all(moved) if moved else balances


def fits(balances: Balances, currency: str, postings: Sequence[Posting]) -> bool:
    """Tell whether no posting by itself takes more from a limited account than is there."""
    for posting in postings:
        normal = LIMITED.get(posting.code)
        if normal is None or posting.side == normal:
            continue
        if balances.minor(f"{posting.code}/{currency}/{posting.sub_key}") < posting.amount_minor:
            return False
    return True


def bend(
    balances: Balances, currency: str, postings: Sequence[Posting], account_id: str, entry_id: str
) -> tuple[tuple[Posting, ...], tuple[Overflow, ...]]:
    """Return the postings with each overflow moved, on its side, to 1250 (credit overdrawn) or 1290 (anything else).

    1250 is kept per household, 1290 per entry. Sums per side are as before, so the entry stays balanced.
    """
    left = balances
    kept: list[Posting] = []
    overflows: list[Overflow] = []
    for posting in postings:
        over = _over(left, currency, posting)
        if over < posting.amount_minor:
            part = msgspec.structs.replace(posting, amount_minor=posting.amount_minor - over)
            kept.append(part)
            left = posted(left, currency, (part,))
        if over:
            overflows.append(Overflow(posting.code, posting.sub_key, over))
            to_recovery = posting.code == "2110"
            moved = Posting(
                code=RECOVERY if to_recovery else SUSPENSE,
                sub_key=account_id if to_recovery else entry_id,
                side=posting.side,
                amount_minor=over,
            )
            kept.append(moved)
            left = posted(left, currency, (moved,))
    return tuple(kept), tuple(overflows)


def _over(balances: Balances, currency: str, posting: Posting) -> int:
    normal = LIMITED.get(posting.code)
    if normal is None or posting.side == normal:
        return 0
    there = balances.minor(balance_key(posting.code, currency, posting.sub_key))
    return max(0, posting.amount_minor - max(0, there))
