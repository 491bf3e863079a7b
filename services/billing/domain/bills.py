"""A bill as a value: what is owed line by line, what pays it, what is taken back."""

from collections.abc import Iterable

import msgspec

from shared.contracts.event import Allocation, PolicyMonth, PremiumLine

Place = tuple[str, str]


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One policy and month of a bill, and how much of the member's share is paid."""

    policy_id: str
    coverage_month: str
    gross_minor: int
    aptc_minor: int = 0
    state_subsidy_minor: int = 0
    paid_minor: int = 0

    @property
    def place(self) -> Place:
        """What tells it from the other lines of its bill."""
        return (self.policy_id, self.coverage_month)

    @property
    def share_minor(self) -> int:
        """What the member owes for it in all."""
        return self.gross_minor - self.aptc_minor - self.state_subsidy_minor

    @property
    def due_minor(self) -> int:
        """What is still to be paid, never below 0."""
        return max(0, self.share_minor - self.paid_minor)

    def unpaid(self) -> PremiumLine:
        """Return what can be billed elsewhere: the whole line while nothing is paid, else the member's rest alone."""
        whole = self.paid_minor == 0
        return PremiumLine(
            policy_id=self.policy_id,
            coverage_month=self.coverage_month,
            gross_minor=self.gross_minor if whole else self.due_minor,
            aptc_minor=self.aptc_minor if whole else 0,
            state_subsidy_minor=self.state_subsidy_minor if whole else 0,
        )

    def whole(self) -> PremiumLine:
        """Return the line as it was billed."""
        return PremiumLine(
            policy_id=self.policy_id,
            coverage_month=self.coverage_month,
            gross_minor=self.gross_minor,
            aptc_minor=self.aptc_minor,
            state_subsidy_minor=self.state_subsidy_minor,
        )


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """A bill; `open_payments` are the attempts under way on it. Without lines it is void."""

    currency: str
    due_date: str
    lines: tuple[InvoiceLine, ...]
    open_payments: tuple[str, ...] = ()

    @property
    def total_minor(self) -> int:
        """The member's share of all lines."""
        return sum(line.share_minor for line in self.lines)

    @property
    def gross_minor(self) -> int:
        """The premiums of all lines."""
        return sum(line.gross_minor for line in self.lines)

    @property
    def paid_minor(self) -> int:
        """What all payments have paid of it."""
        return sum(line.paid_minor for line in self.lines)

    @property
    def due_minor(self) -> int:
        """What the member still owes; a line of less than nothing helps the others."""
        return max(0, self.total_minor - self.paid_minor)

    def due_of(self, policy_id: str | None) -> int:
        """Return what is due for one policy, or for all."""
        if policy_id is None:
            return self.due_minor
        lines = sum(line.due_minor for line in self.lines if line.policy_id == policy_id)
        return min(lines, self.due_minor)

    def line(self, place: Place) -> InvoiceLine | None:
        """Return the line of a policy and month."""
        return next((line for line in self.lines if line.place == place), None)


def billed(currency: str, due_date: str, lines: Iterable[PremiumLine]) -> Invoice:
    """Return a bill of which nothing is paid."""
    return Invoice(
        currency=currency,
        due_date=due_date,
        lines=tuple(
            InvoiceLine(
                policy_id=line.policy_id,
                coverage_month=line.coverage_month,
                gross_minor=line.gross_minor,
                aptc_minor=line.aptc_minor,
                state_subsidy_minor=line.state_subsidy_minor,
            )
            for line in lines
        ),
    )


def paid(invoice: Invoice, part: Allocation, sign: int = 1) -> Invoice:
    """Return the bill after a part of a payment paid a line of it, or with `sign` -1 was taken off it again."""
    place = (part.policy_id, part.coverage_month)
    lines = tuple(
        msgspec.structs.replace(line, paid_minor=line.paid_minor + sign * part.amount_minor)
        if line.place == place
        else line
        for line in invoice.lines
    )
    return msgspec.structs.replace(invoice, lines=lines)


def voided(invoice: Invoice, taken: Iterable[PremiumLine]) -> Invoice:
    """Return the bill without these amounts; a line of which nothing is left is gone."""
    by_place = {(line.policy_id, line.coverage_month): line for line in taken}
    left = [_less(line, by_place[line.place]) if line.place in by_place else line for line in invoice.lines]
    lines = tuple(
        line for line in left if line.gross_minor or line.aptc_minor or line.state_subsidy_minor or line.paid_minor
    )
    return msgspec.structs.replace(invoice, lines=lines)


def _less(line: InvoiceLine, taken: PremiumLine) -> InvoiceLine:
    return msgspec.structs.replace(
        line,
        gross_minor=line.gross_minor - taken.gross_minor,
        aptc_minor=line.aptc_minor - taken.aptc_minor,
        state_subsidy_minor=line.state_subsidy_minor - taken.state_subsidy_minor,
    )


def places_of(named: Iterable[PolicyMonth]) -> tuple[Place, ...]:
    """Return the places of lines that a request names."""
    return tuple((one.policy_id, one.coverage_month) for one in named)


def allocate_in_order(
    amount_minor: int, invoice_id: str, invoice: Invoice, policy_id: str | None = None
) -> tuple[tuple[Allocation, ...], int]:
    """Return the parts of `amount_minor` that pay the bill's lines (of one policy, or all), and what is left over.

    Line by line in the bill's order, each up to what it owes, all together up to what the bill does. The parts are
    positive; parts and rest sum to the amount exactly.
    """
    parts: list[Allocation] = []
    left = amount_minor
    wanted = min(amount_minor, invoice.due_of(policy_id))
    for line in invoice.lines:
        pays = min(wanted, line.due_minor) if policy_id in (None, line.policy_id) else 0
        if pays > 0:
            parts.append(
                Allocation(
                    invoice_id=invoice_id,
                    policy_id=line.policy_id,
                    coverage_month=line.coverage_month,
                    amount_minor=pays,
                )
            )
            left -= pays
            wanted -= pays
    return tuple(parts), left
