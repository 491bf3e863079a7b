"""What the accounts allow (I-05), for facts that cannot be refused: the overflow goes to a suspense account."""

from collections.abc import Sequence

import msgspec

from services.ledger.domain.chart import LIMITED
from shared.contracts.ledger import AccountCode, Posting

RECOVERY: AccountCode = "1250"
SUSPENSE: AccountCode = "1290"

Balances = dict[str, int]


class Overflow(msgspec.Struct, frozen=True):
    """By how much a fact would have pushed an account below zero."""

    code: AccountCode
    sub_key: str
    minor: int


def balance_key(code: str, currency: str, sub_key: str) -> str:
    """Return the name of a balance in a household's state."""
    return f"{code}/{currency}/{sub_key}"


def apply_postings(balances: Balances, currency: str, postings: Sequence[Posting]) -> None:
    """Move `balances` (above zero on the normal side; zero is left out) in place; only limited accounts are kept."""
    for posting in postings:
        normal = LIMITED.get(posting.code)
        if normal is None:
            continue
        key = f"{posting.code}/{currency}/{posting.sub_key}"
        amount = posting.amount_minor
        left = balances.get(key, 0) + (amount if posting.side == normal else -amount)
        if left:
            balances[key] = left
        else:
            balances.pop(key, None)


def fits(balances: Balances, currency: str, postings: Sequence[Posting]) -> bool:
    """Tell whether no posting by itself takes more from a limited account than is there."""
    for posting in postings:
        normal = LIMITED.get(posting.code)
        if normal is None or posting.side == normal:
            continue
        if balances.get(f"{posting.code}/{currency}/{posting.sub_key}", 0) < posting.amount_minor:
            return False
    return True


def bend(
    balances: Balances, currency: str, postings: Sequence[Posting], account_id: str, entry_id: str
) -> tuple[tuple[Posting, ...], tuple[Overflow, ...]]:
    """Return the postings with each overflow moved, on its side, to 1250 (credit overdrawn) or 1290 (anything else).

    1250 is kept per household, 1290 per entry. Sums per side are as before, so the entry stays balanced.
    """
    left = dict(balances)
    kept: list[Posting] = []
    overflows: list[Overflow] = []
    for posting in postings:
        over = _over(left, currency, posting)
        if over < posting.amount_minor:
            part = msgspec.structs.replace(posting, amount_minor=posting.amount_minor - over)
            kept.append(part)
            apply_postings(left, currency, (part,))
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
            apply_postings(left, currency, (moved,))
    return tuple(kept), tuple(overflows)


def _over(balances: Balances, currency: str, posting: Posting) -> int:
    normal = LIMITED.get(posting.code)
    if normal is None or posting.side == normal:
        return 0
    there = balances.get(balance_key(posting.code, currency, posting.sub_key), 0)
    return max(0, posting.amount_minor - max(0, there))
