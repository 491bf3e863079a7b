"""Entries that may still be taken back, whole or in parts: what each is known by, and how much of it is left.

Kept for life, because returns and chargebacks come late.
"""

import msgspec

from shared.contracts.ledger import EntryPosted

SHELF_SIZE = 32


class Left(msgspec.Struct, frozen=True):
    """An entry and how much of it was not taken back yet."""

    entry_id: str
    minor: int


class Standing(msgspec.Struct, frozen=True):
    """A map by name that is cheap to copy: only the new shelf is, until it is full and joins the old one."""

    old: dict[str, tuple[Left, ...]] = {}
    new: dict[str, tuple[Left, ...]] = {}

    def get(self, name: str) -> tuple[Left, ...]:
        """Return the entries of a name, oldest first; none where there never was one, or nothing is left."""
        found = self.new.get(name)
        return self.old.get(name, ()) if found is None else found

    def put(self, name: str, entries: tuple[Left, ...]) -> "Standing":
        """Return the map with these entries under the name."""
        if len(self.new) < SHELF_SIZE:
            return Standing(self.old, {**self.new, name: entries})
        return Standing({**self.old, **self.new}, {name: entries})


_KNOWN_BY = {
    "PR-01": ("PR-01", "2210"), "PR-21": ("PR-01", "2210"),
    "PR-06": ("PR-06", "1210"), "PR-06r": ("PR-06", "1210"),
    "PR-09a": ("PR-09a", "2120"), "PR-09ar": ("PR-09a", "2120"),
    "PR-09b": ("PR-09b", "2120"), "PR-09c": ("PR-09b", "2120"),
    "PR-10a": ("PR-10a", "1260"), "PR-10b": ("PR-10a", "1260"),
    "PR-16a": ("PR-16a", "2140"), "PR-16r": ("PR-16a", "2140"),
}  # fmt: skip
"""Per rule: the rule whose entries it makes or takes back, and the account whose leg names and measures them."""


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
    """Return what stands after an entry."""
    known_by = _KNOWN_BY.get(entry.rule)
    if known_by is None:
        return standing
    rule, code = known_by
    leg = next((one for one in entry.postings if one.code == code), None)
    if leg is None:
        return standing
    name = name_of(rule, leg.sub_key, entry.payment_id, entry.invoice_id)
    if entry.rule == rule:
        return standing.put(name, (*standing.get(name), Left(entry.entry_id, leg.amount_minor)))
    left = tuple(
        Left(one.entry_id, one.minor - leg.amount_minor) if one.entry_id == entry.reverses else one
        for one in standing.get(name)
    )
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
