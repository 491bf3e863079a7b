"""Money that came in, and where it is now: each minor unit of a fund is in exactly one place."""

import msgspec

from shared.contracts.event import Allocation


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the money came, which is how it can be given back."""

    processor: str
    processor_ref: str
    charge_ref: str


class Fund(msgspec.Struct, frozen=True, kw_only=True):
    """A settled payment, a cheque, a charge found, or a transfer received.

    settled = allocated + unapplied + refunded + taken back + transferred; what was taken back beyond what was there is
    `recovery_minor`: the member owes it. `case_id`: it is the surplus of a case that nobody has decided.
    """

    currency: str
    settled_minor: int
    payment_id: str = ""
    way: Way | None = None
    allocated: tuple[Allocation, ...] = ()
    refunded_minor: int = 0
    taken_back_minor: int = 0
    transferred_minor: int = 0
    recovery_minor: int = 0
    case_id: str | None = None

    @property
    def allocated_minor(self) -> int:
        """What pays bills."""
        return sum(part.amount_minor for part in self.allocated)

    @property
    def unapplied_minor(self) -> int:
        """What is the member's credit."""
        gone = self.refunded_minor + self.taken_back_minor + self.transferred_minor
        return self.settled_minor - self.allocated_minor - gone


def released(fund: Fund, minor: int, invoice_id: str | None = None) -> tuple[Allocation, ...]:
    """Return what is taken off bills (or one bill) to free `minor`, as far as there is so much, the newest first."""
    parts: list[Allocation] = []
    for part in reversed(fund.allocated):
        taken = min(minor, part.amount_minor) if invoice_id in (None, part.invoice_id) else 0
        if taken > 0:
            parts.append(msgspec.structs.replace(part, amount_minor=taken))
            minor -= taken
    return tuple(parts)


def with_parts(fund: Fund, parts: tuple[Allocation, ...]) -> Fund:
    """Return the fund after these parts of it paid lines."""
    return msgspec.structs.replace(fund, allocated=fund.allocated + parts)


def without_parts(fund: Fund, parts: tuple[Allocation, ...]) -> Fund:
    """Return the fund after these parts were taken off the lines that they had paid, from the newest on."""
    left = list(fund.allocated)
    for part in parts:
        minor = part.amount_minor
        for index in range(len(left) - 1, -1, -1):
            one = left[index]
            if minor and _line_of(one) == _line_of(part):
                taken = min(minor, one.amount_minor)
                minor -= taken
                left[index] = msgspec.structs.replace(one, amount_minor=one.amount_minor - taken)
    return msgspec.structs.replace(fund, allocated=tuple(part for part in left if part.amount_minor))


def _line_of(part: Allocation) -> tuple[str, str, str]:
    return (part.invoice_id, part.policy_id, part.coverage_month)
