"""Entries by hand and ledger accounts: their ids, where they stand, and what no type can say of their legs."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from shared.contracts.direct import Leg
from shared.ids import ROOT_BYTES, Root, canonical_json, thing_id
from shared.money import MAX_MINOR

FEWEST_LEGS, MOST_LEGS = 2, 20
ACCOUNT_CODE = re.compile(r"^[0-9]{4}$", re.ASCII)
_ENTRY_ID = re.compile(r"^ent_(0|[1-9]\d{0,5})_[0-9a-hjkmnp-tv-z]{26}$", re.ASCII)


class ProposalStatus(StrEnum):
    """Where a journal or reversal is: `accepted` until the ledger speaks; `rejected` by a person, `lapsed` by time."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    AWAITING_APPROVAL = "awaiting_approval"
    POSTED = "posted"
    REJECTED = "rejected"
    LAPSED = "lapsed"


class LedgerAccountStatus(StrEnum):
    """Where a ledger account is; the last three: it was never opened."""

    ACCEPTED = "accepted"
    PROPOSED = "proposed"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"
    REFUSED = "refused"
    REJECTED = "rejected"
    LAPSED = "lapsed"


CHANGED = "changed"
"""The end of a proposal to change a ledger account that came about."""
FINAL_PROPOSAL = frozenset(ProposalStatus) - {ProposalStatus.ACCEPTED, ProposalStatus.AWAITING_APPROVAL}
FINAL_LEDGER_ACCOUNT = frozenset(LedgerAccountStatus) - {LedgerAccountStatus.ACCEPTED, LedgerAccountStatus.PROPOSED}
_OF_OPENING: Mapping[str, LedgerAccountStatus] = {
    ProposalStatus.AWAITING_APPROVAL: LedgerAccountStatus.PROPOSED,
    ProposalStatus.REFUSED: LedgerAccountStatus.REFUSED,
    ProposalStatus.REJECTED: LedgerAccountStatus.REJECTED,
    ProposalStatus.LAPSED: LedgerAccountStatus.LAPSED,
}


def opening_status(proposal: str | None) -> LedgerAccountStatus | None:
    """Return what the status of its opening makes of an account, None once it was opened."""
    if proposal is None:
        return LedgerAccountStatus.ACCEPTED
    return _OF_OPENING.get(proposal)


def direct_stream(tenant: str) -> str:
    """Return the ledger's stream of a tenant's entries by hand, whose shard is theirs."""
    return "jrn_" + tenant


class AccountName(msgspec.Struct, frozen=True):
    """What a ledger account is: there is one of each name."""

    code: str
    sub_key: str
    currency: str

    def id_in(self, tenant: str, shard: int) -> str:
        """Return the account's id, the same whoever asks for it."""
        named = hashlib.sha256(canonical_json([tenant, self.code, self.sub_key, self.currency])).digest()
        return thing_id("gla", shard, Root(named[:ROOT_BYTES]))


def is_entry_id(text: str, shards: int) -> bool:
    """Tell whether an entry of one of this many shards could have this id."""
    match = _ENTRY_ID.fullmatch(text)
    return match is not None and int(match[1]) < shards


def wrong_amount(legs: Iterable[Leg]) -> int | None:
    """Return the number of the leg with which the debits or the credits become more than an account can hold."""
    sums = {"D": 0, "C": 0}
    for number, leg in enumerate(legs):
        sums[leg.side] += leg.amount_minor
        if sums[leg.side] > MAX_MINOR:
            return number
    return None


def is_balanced(legs: Iterable[Leg]) -> bool:
    """Tell whether debits and credits have the same sum."""
    return sum(leg.amount_minor if leg.side == "D" else -leg.amount_minor for leg in legs) == 0
