"""What billing may send of one household: a plain model of its money that draws facts in any order that makes sense."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from hypothesis import strategies as st

from shared.contracts.event import Event, PremiumLine
from tests.unit.ledger.facts import (
    bounced,
    came_back,
    check,
    debited,
    lost,
    opened,
    part,
    passed_on,
    paying,
    recovered,
    returned,
    sent,
    taken_in,
    unpaid,
    voided,
    withdrawn,
    won,
)
from tests.unit.ledger.story import Story, bill, cancelled, declined, found, registered, settled

POLICIES = ("POL-1", "POL-2")
MONTHS = ("2026-01", "2026-02")
Place = tuple[str, str, str]
Thing = TypeVar("Thing")
amounts = st.integers(1, 1_000)
policies = st.sampled_from(POLICIES)


@st.composite
def premium_lines(draw: st.DrawFn, most_minor: int = 1_000, policies: st.SearchStrategy[str] = policies) -> PremiumLine:
    gross = draw(st.integers(0, most_minor))
    aptc = draw(st.integers(0, gross))
    return PremiumLine(
        policy_id=draw(policies),
        coverage_month=draw(st.sampled_from(MONTHS)),
        gross_minor=gross,
        aptc_minor=aptc,
        state_subsidy_minor=draw(st.integers(0, gross - aptc)),
    )


@dataclass
class Fund:
    """Money that came in: what of it is credit, what it pays, and what is owed because it was given back twice.

    `taken`: it was disputed or returned, which happens once.
    """

    id: str
    rail: str
    came_minor: int
    credit_minor: int
    owed_minor: int = 0
    taken: bool = False
    pays: dict[Place, int] = field(default_factory=lambda: defaultdict(int))


Claim = tuple[str, Fund, int]
"""A refund, a dispute or a transfer: its id, whose money it is about, how much of it."""


@dataclass
class Month:
    """Draws one fact after another of those that can be next, and tells it to the story."""

    draw: st.DrawFn
    story: Story = field(default_factory=Story)
    bills: dict[Place, PremiumLine] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    funds: list[Fund] = field(default_factory=list)
    open_refunds: list[Claim] = field(default_factory=list)
    sent_refunds: list[Claim] = field(default_factory=list)
    disputes: list[Claim] = field(default_factory=list)
    transfers: list[Claim] = field(default_factory=list)
    number: int = 0

    def step(self) -> None:
        self.number += 1
        steps: list[tuple[Callable[[], None], object]] = [
            (self.bill, len(self.bills) < 6),
            (self.attempt, len(self.pending) < 2),
            (self.end, self.pending),
            (self.settle, self.pending),
            (self.settle_late, self.ended),
            (self.come_in, len(self.funds) < 4),
            (self.allocate, self.payable()),
            (self.deallocate, self.paying()),
            (self.void, self.bills),
            (self.refund, self.with_credit()),
            (self.send, self.open_refunds),
            (self.withdraw, self.open_refunds),
            (self.bounce, self.sent_refunds),
            (self.dispute, self.there_on("card", "found")),
            (self.win, self.disputes),
            (self.lose, self.disputes),
            (self.come_back, self.there_on("check")),
            (self.pass_on, self.with_credit()),
            (self.take_back, self.transfers),
            (self.recover, self.owing()),
        ]
        self.one_of([step for step, can_be in steps if can_be])()

    def tell(self, *facts: Event) -> None:
        self.story.tell(*facts)

    def one_of(self, things: Sequence[Thing]) -> Thing:
        return self.draw(st.sampled_from(things))

    def up_to(self, minor: int) -> int:
        return self.draw(st.one_of(st.just(minor), st.integers(1, minor)))

    def paid(self, place: Place) -> int:
        return sum(fund.pays[place] for fund in self.funds)

    def due(self, place: Place) -> int:
        return self.bills[place].member_minor - self.paid(place)

    def payable(self) -> list[Place]:
        return [place for place in self.bills if self.due(place)] if self.with_credit() else []

    def paying(self) -> list[Fund]:
        return [fund for fund in self.funds if any(fund.pays.values())]

    def with_credit(self) -> list[Fund]:
        return [fund for fund in self.funds if fund.credit_minor]

    def owing(self) -> list[Fund]:
        return [fund for fund in self.funds if fund.owed_minor and fund.credit_minor]

    def there_on(self, *rails: str) -> list[Fund]:
        return [fund for fund in self.funds if fund.rail in rails and not fund.taken]

    def bill(self) -> None:
        lines = self.draw(
            st.lists(premium_lines(), min_size=1, max_size=3, unique_by=lambda one: (one.policy_id, one.coverage_month))
        )
        invoice = f"inv_3_{self.number}"
        self.bills |= {(invoice, line.policy_id, line.coverage_month): line for line in lines}
        self.tell(bill(*lines, invoice_id=invoice))

    def attempt(self) -> None:
        name, minor = f"pay_3_{self.number}", self.draw(amounts)
        self.pending[name] = minor
        self.tell(registered(minor, name))

    def end(self) -> None:
        name = self.one_of(list(self.pending))
        self.ended[name] = self.pending.pop(name)
        fact = declined if self.draw(st.booleans()) else cancelled
        self.tell(fact(self.ended[name], name))

    def settle(self) -> None:
        self._settle(self.pending)

    def settle_late(self) -> None:
        self._settle(self.ended)

    def _settle(self, attempts: dict[str, int]) -> None:
        name = self.one_of(list(attempts))
        minor = attempts.pop(name)
        self.funds.append(Fund(name, "card", minor, minor))
        self.tell(settled(minor, name))

    def come_in(self) -> None:
        rails: dict[str, Callable[[int, str], Event]] = {"check": check, "found": found, "transfer": taken_in}
        rail, minor, name = self.one_of(list(rails)), self.draw(amounts), f"fund_{self.number}"
        self.funds.append(Fund(name, rail, minor, minor))
        self.tell(rails[rail](minor, name))

    def allocate(self) -> None:
        fund = self.one_of(self.with_credit())
        parts = []
        for place in self.draw(st.permutations(self.payable())):
            if fund.credit_minor:
                minor = self.up_to(min(self.due(place), fund.credit_minor))
                fund.credit_minor -= minor
                fund.pays[place] += minor
                parts.append(part(minor, *place))
        self.tell(paying(*parts, payment_id=fund.id))

    def deallocate(self) -> None:
        fund = self.one_of(self.paying())
        place = self.one_of([place for place, minor in fund.pays.items() if minor])
        minor = self.up_to(fund.pays[place])
        fund.pays[place] -= minor
        fund.credit_minor += minor
        self.tell(unpaid(part(minor, *place), payment_id=fund.id))

    def _release(self, fund: Fund, places: list[Place]) -> None:
        parts = [part(fund.pays[place], *place) for place in places if fund.pays[place]]
        for place in places:
            fund.credit_minor += fund.pays.pop(place, 0)
        if parts:
            self.tell(unpaid(*parts, payment_id=fund.id))

    def void(self) -> None:
        """A line whole, its payers released first, or what is not paid of it."""
        place = self.one_of(list(self.bills))
        line, due = self.bills.pop(place), 0
        if self.paid(place) < line.member_minor and self.paid(place) and self.draw(st.booleans()):
            due = line.member_minor - self.paid(place)
            self.bills[place] = msgspec.structs.replace(line, gross_minor=line.gross_minor - due)
            line = PremiumLine(policy_id=line.policy_id, coverage_month=line.coverage_month, gross_minor=due)
        for fund in self.funds if not due else ():
            self._release(fund, [place])
        self.tell(voided(line, invoice_id=place[0]))

    def refund(self) -> None:
        self._take(self.open_refunds, f"rfd_3_{self.number}", opened)

    def pass_on(self) -> None:
        self._take(self.transfers, f"trf_3_{self.number}", passed_on)

    def _take(self, claims: list[Claim], name: str, fact: Callable[[int, str, str], Event]) -> None:
        fund = self.one_of(self.with_credit())
        minor = self.up_to(fund.credit_minor)
        fund.credit_minor -= minor
        claims.append((name, fund, minor))
        self.tell(fact(minor, name, fund.id))

    def send(self) -> None:
        claim = self._ended(self.open_refunds)
        self.sent_refunds.append(claim)
        self.tell(sent(claim[2], claim[0], claim[1].id))

    def withdraw(self) -> None:
        name, fund, minor = self._ended(self.open_refunds)
        fund.credit_minor += minor
        self.tell(withdrawn(minor, name, fund.id))

    def bounce(self) -> None:
        name, fund, minor = self._ended(self.sent_refunds)
        fund.credit_minor += minor
        self.tell(bounced(minor, name, fund.id))

    def take_back(self) -> None:
        name, fund, minor = self._ended(self.transfers)
        fund.credit_minor += minor
        self.tell(came_back(minor, name))

    def _ended(self, claims: list[Claim]) -> Claim:
        claim = self.one_of(claims)
        claims.remove(claim)
        return claim

    def dispute(self) -> None:
        fund = self.one_of(self.there_on("card", "found"))
        fund.taken = True
        self.disputes.append((f"du_{self.number}", fund, self.up_to(fund.came_minor)))
        name, _, minor = self.disputes[-1]
        self.tell(debited(minor, self.one_of([0, 1_500]), name, fund.id))

    def win(self) -> None:
        name, fund, minor = self._ended(self.disputes)
        self.tell(won(minor, name, fund.id))

    def lose(self) -> None:
        name, fund, minor = self._ended(self.disputes)
        self.tell(lost(*self._taken(fund, minor), name, fund.id))

    def come_back(self) -> None:
        fund = self.one_of(self.there_on("check"))
        fund.taken = True
        self.tell(returned(*self._taken(fund, fund.came_minor), fund.id))

    def _taken(self, fund: Fund, minor: int) -> tuple[int, int]:
        self._release(fund, list(fund.pays))
        from_credit = min(minor, fund.credit_minor)
        fund.credit_minor -= from_credit
        fund.owed_minor += minor - from_credit
        return from_credit, minor - from_credit

    def recover(self) -> None:
        fund = self.one_of(self.owing())
        minor = min(fund.owed_minor, fund.credit_minor)
        fund.owed_minor -= minor
        fund.credit_minor -= minor
        self.tell(recovered(minor, fund.id))


@st.composite
def months(draw: st.DrawFn) -> Month:
    month = Month(draw)
    for _ in range(draw(st.integers(15, 40))):
        month.step()
    return month
