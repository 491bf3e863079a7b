"""The plain model of one household's money: what it owes, what came in, where that is. It shares nothing with services.

Every move is written down twice, in `codes` (debits less credits per account code) and in the lines and funds.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.demo.acts import Line


@dataclass
class Owed:
    """A line of a bill and how much of the member's share is paid."""

    bill: str
    policy: str
    gross_minor: int
    aptc_minor: int
    state_minor: int
    paid_minor: int = 0

    @property
    def due_minor(self) -> int:
        """What is still to be paid."""
        return self.gross_minor - self.aptc_minor - self.state_minor - self.paid_minor


@dataclass
class Fund:
    """Money that came in. `waits`: as the surplus of a case; `disputed`: a bank asks for it."""

    name: str
    cash: str
    credit_minor: int
    pays: list[tuple[Owed, int]] = field(default_factory=list)
    waits: bool = False
    disputed: bool = False


class Purse:
    """One household's money."""

    def __init__(self) -> None:
        self.lines: list[Owed] = []
        self.funds: dict[str, Fund] = {}
        self.codes: Counter[str] = Counter()

    @property
    def due_minor(self) -> int:
        """What the household owes on all bills."""
        return sum(line.due_minor for line in self.lines)

    @property
    def credit_minor(self) -> int:
        """What is the household's own."""
        return sum(fund.credit_minor for fund in self.funds.values())

    def move(self, debit: str, credit: str, minor: int) -> None:
        """Write down one move of money."""
        self.codes[debit] += minor
        self.codes[credit] -= minor

    def owe(self, bill: str, lines: tuple[Line, ...]) -> None:
        """Be billed; credit pays as far as it goes."""
        for line in lines:
            self.lines.append(Owed(bill, line.policy, line.gross_minor, line.aptc_minor, line.state_minor))
            self.move("1210", "2210", line.share_minor)
            self.move("1220", "2210", line.aptc_minor)
            self.move("1230", "2210", line.state_minor)
        for fund in self.free():
            self.pay(fund, bill)

    def free(self) -> list[Fund]:
        """Return the funds whose credit may be used, oldest first."""
        return [fund for fund in self.funds.values() if not fund.waits and not fund.disputed]

    def get(self, name: str, cash: str, minor: int) -> Fund:
        """Take in money that is at `cash` (an account code) now."""
        fund = self.funds[name] = Fund(name, cash, minor)
        self.move(cash, "2110", minor)
        return fund

    def pay(self, fund: Fund, bill: str, policy: str | None = None) -> int:
        """Have a fund's credit pay a bill, or one policy of it; return how much it paid."""
        paid = 0
        for line in self._lines_of(bill, policy):
            minor = min(fund.credit_minor, line.due_minor)
            if minor > 0:
                line.paid_minor += minor
                fund.credit_minor -= minor
                fund.pays.append((line, minor))
                self.move("2110", "1210", minor)
                self.move("2210", "2220", minor)
                paid += minor
        return paid

    def _lines_of(self, bill: str, policy: str | None) -> Iterator[Owed]:
        return (line for line in self.lines if line.bill == bill and policy in (None, line.policy))

    def release(self, fund: Fund, minor: int, bill: str | None = None) -> None:
        """Make credit again of what a fund had paid last, of one bill or any, as far as there is so much."""
        kept: list[tuple[Owed, int]] = []
        for line, paid in reversed(fund.pays):
            freed = min(minor, paid) if bill in (None, line.bill) else 0
            minor -= freed
            self._unpay(fund, line, freed)
            if paid > freed:
                kept.append((line, paid - freed))
        fund.pays = kept[::-1]

    def _unpay(self, fund: Fund, line: Owed, minor: int) -> None:
        line.paid_minor -= minor
        fund.credit_minor += minor
        self.move("1210", "2110", minor)
        self.move("2220", "2210", minor)

    def void(self, bill: str, policy: str | None) -> None:
        """Have lines of a bill taken back: what had paid them is credit again."""
        gone = list(self._lines_of(bill, policy))
        for fund in self.funds.values():
            for line, minor in fund.pays:
                if line in gone:
                    self._unpay(fund, line, minor)
            fund.pays = [(line, minor) for line, minor in fund.pays if line not in gone]
        for line in gone:
            self.unbill(line, line.gross_minor, line.aptc_minor, line.state_minor)
        self.lines = [line for line in self.lines if line not in gone]

    def unbill(self, line: Owed, gross_minor: int, aptc_minor: int, state_minor: int) -> None:
        """Take a line back, whole or in part."""
        line.gross_minor -= gross_minor
        line.aptc_minor -= aptc_minor
        line.state_minor -= state_minor
        self.move("2210", "1210", gross_minor - aptc_minor - state_minor)
        self.move("2210", "1220", aptc_minor)
        self.move("2210", "1230", state_minor)

    def set_aside(self, fund: Fund, minor: int) -> None:
        """Set credit aside to be given back."""
        fund.credit_minor -= minor
        self.move("2110", "2120", minor)

    def put_back(self, fund: Fund, minor: int) -> None:
        """Make credit again of what was set aside."""
        fund.credit_minor += minor
        self.move("2120", "2110", minor)

    def lose(self, fund: Fund, minor: int, to: str) -> int:
        """Have money taken back by `to` (an account code); return what the household owes for it now."""
        self.release(fund, minor - fund.credit_minor)
        there = min(minor, fund.credit_minor)
        fund.credit_minor -= there
        self.move("2110", to, there)
        self.move("1250", to, minor - there)
        return minor - there

    def take_credit(self, minor: int) -> None:
        """Have credit leave to another household, the oldest first."""
        for fund in self.free():
            part = min(minor, fund.credit_minor)
            fund.credit_minor -= part
            minor -= part
            self.move("2110", "2140", part)
