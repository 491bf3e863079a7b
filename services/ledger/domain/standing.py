"""Entries that may still be taken back, whole or in parts: what each is known by, and how much of it is left.

Kept for life, because returns and chargebacks come late.
"""

from typing import NamedTuple

import msgspec

from services.ledger.domain.shelves import Shelves
from shared.contracts.event import PremiumLine
from shared.contracts.ledger import AccountCode, EntryPosted, Posting


class Left(msgspec.Struct, frozen=True, gc=False):
    """An entry and how much of it was not taken back yet; of a bill's line also how much of each subsidy."""

    entry_id: str
    minor: int
    aptc_minor: int = 0
    state_subsidy_minor: int = 0

    @property
    def share_minor(self) -> int:
        """What is left of the member's share of a bill's line."""
        return self.minor - self.aptc_minor - self.state_subsidy_minor

    def less(self, minor: int, aptc_minor: int = 0, state_subsidy_minor: int = 0) -> "Left":
        """Return what is left after so much was taken back."""
        return Left(
            self.entry_id,
            self.minor - minor,
            self.aptc_minor - aptc_minor,
            self.state_subsidy_minor - state_subsidy_minor,
        )

    def covers(self, line: PremiumLine) -> bool:
        """Tell whether each leg of a bill's line is still there to be taken back."""
        legs = (
            (line.gross_minor, self.minor),
            (line.aptc_minor, self.aptc_minor),
            (line.state_subsidy_minor, self.state_subsidy_minor),
            (line.member_minor, self.share_minor),
        )
        return all(min(0, left) <= minor <= max(0, left) for minor, left in legs)


class Standing(Shelves[tuple[Left, ...]], frozen=True):
    """The entries that may be taken back, by the name of what they are of."""

    def get(self, name: str) -> tuple[Left, ...]:
        """Return the entries of a name, oldest first; none where there never was one, or nothing is left."""
        return self.find(name) or ()

    def name_with(self, entry_id: str) -> str:
        """Return the name that an entry stands under, by a search of all; empty where it never stood."""
        for name, entries in self.items():
            if any(one.entry_id == entry_id for one in entries):
                return name
        return ""


class _Kept(NamedTuple):
    """The rule whose entries are kept, and the accounts whose legs name the thing and measure it."""

    rule: str
    named_by: AccountCode
    measured_by: AccountCode


_KEPT = {
    "PR-01": _Kept("PR-01", "2210", "2210"), "PR-21": _Kept("PR-01", "2210", "2210"),
    "PR-06": _Kept("PR-06", "2210", "2210"), "PR-06r": _Kept("PR-06", "2210", "2210"),
    "PR-09a": _Kept("PR-09a", "2120", "2120"), "PR-09ar": _Kept("PR-09a", "2120", "2110"),
    "PR-09b": _Kept("PR-09b", "2120", "1125"), "PR-09c": _Kept("PR-09b", "2120", "1125"),
    "PR-10a": _Kept("PR-10a", "1260", "1260"), "PR-10b": _Kept("PR-10a", "1260", "1125"),
    "PR-16a": _Kept("PR-16a", "2140", "2140"), "PR-16r": _Kept("PR-16a", "2140", "2140"),
}  # fmt: skip
"""By the rule that makes such entries and the one that takes them back; what measures is never bent by a limit."""


def name_of(rule: str, sub_key: str, payment_id: str | None, invoice_id: str | None) -> str:
    """Return what entries of a rule that may be taken back are known by."""
    match rule:
        case "PR-01":
            return f"PR-01 {invoice_id} {sub_key}"
        case "PR-06":
            return f"PR-06 {payment_id} {invoice_id} {sub_key}"
        case _:
            return f"{rule} {sub_key}"


def after(standing: Standing, entry: EntryPosted) -> Standing:
    """Return what stands after an entry; one whose naming leg went to suspense whole cannot be known again."""
    kept = _KEPT.get(entry.rule)
    if kept is None:
        return standing
    legs: dict[str, Posting] = {}
    for posting in entry.postings:
        legs.setdefault(posting.code, posting)
    named = legs.get(kept.named_by)
    name = "" if named is None else name_of(kept.rule, named.sub_key, entry.payment_id, entry.invoice_id)
    if entry.reverses is not None:
        name = name or standing.name_with(entry.reverses)
        return without(standing, name, entry.reverses, *_amounts(legs, kept))
    if entry.rule != kept.rule or not name:
        return standing
    return standing.put(name, (*standing.get(name), Left(entry.entry_id, *_amounts(legs, kept))))


def _amounts(legs: dict[str, Posting], kept: _Kept) -> tuple[int, ...]:
    minor = _minor(legs.get(kept.measured_by))
    return (minor, _minor(legs.get("1220")), _minor(legs.get("1230"))) if kept.rule == "PR-01" else (minor,)


def _minor(leg: Posting | None) -> int:
    return 0 if leg is None else leg.amount_minor


def without(standing: Standing, name: str, entry_id: str, *minor: int) -> Standing:
    """Return what stands after so much of an entry was taken back (as in `Left.less`)."""
    left = tuple(one.less(*minor) if one.entry_id == entry_id else one for one in standing.get(name))
    return standing.put(name, tuple(one for one in left if one.minor > 0))


def taken_back(standing: Standing, name: str, minor: int) -> list[tuple[int, str | None]]:
    """Return how `minor` is taken from the entries of a name, the newest first, each up to what is left of it.

    What no entry covers comes last, of none: billing and ledger disagree, and the limits will say so.
    """
    parts: list[tuple[int, str | None]] = []
    for one in reversed(standing.get(name)):
        taken = min(minor, one.minor)
        if taken > 0:
            parts.append((taken, one.entry_id))
            minor -= taken
    if minor > 0:
        parts.append((minor, None))
    return parts
