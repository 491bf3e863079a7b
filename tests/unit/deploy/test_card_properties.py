"""Whatever is done to one intent, in whatever order: it charges once, and the books say what happened."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from deploy.simulators.card import intents, refunds
from deploy.simulators.card.books import Terms
from deploy.simulators.card.cards import CARDS
from deploy.simulators.card.intents import PLAIN, Confirm, Twist
from deploy.simulators.card.objects import (
    BalanceTransaction,
    Charge,
    Decision,
    Dispute,
    Intent,
    IntentStatus,
    Kept,
    Moment,
)
from deploy.simulators.card.refunds import CreateRefund

TERMS = Terms(fee_bps=290, fee_fixed_minor=30)
STEPS = st.one_of(
    st.tuples(st.just("confirm"), st.sampled_from([None, *CARDS])),
    st.tuples(st.just("process"), st.none()),
    st.tuples(st.sampled_from(["pass", "fail", "settle", "cancel"]), st.none()),
    st.tuples(st.just("refund"), st.integers(1, 1_500)),
)


class World:
    """The objects of one intent, as a store would hold them."""

    def __init__(self) -> None:
        numbers = count(1)
        self.moment = Moment(1_000_000, lambda prefix: f"{prefix}{next(numbers)}")
        self.kept: dict[str, Kept] = {}
        self.intent = Intent(
            id="pi_1",
            amount=1250,
            client_secret="s",
            created=1,
            currency="usd",
            status=IntentStatus.REQUIRES_PAYMENT_METHOD,
        )

    def take(self, decision: Decision) -> None:
        self.kept |= {kept.id: kept for kept in decision.saved}
        after = self.kept.get("pi_1", self.intent)
        assert isinstance(after, Intent)
        self.intent = after

    def charges(self) -> list[Charge]:
        return [kept for kept in self.kept.values() if isinstance(kept, Charge) and kept.status == "succeeded"]

    def do(self, step: str, detail: str | int | None) -> Decision:
        match step:
            case "confirm":
                ask = Confirm(payment_method=detail if isinstance(detail, str) else None)
                return intents.confirm(self.intent, ask, PLAIN, TERMS, "http://sim", self.moment)
            case "process":
                twist = Twist(processing_s=1)
                return intents.confirm(self.intent, Confirm(), twist, TERMS, "http://sim", self.moment)
            case "pass" | "fail":
                return intents.authenticate(self.intent, step == "pass", TERMS, self.moment)
            case "settle":
                return intents.settle(self.intent, TERMS, self.moment)
            case "cancel":
                return intents.cancel(self.intent, None, self.moment)
            case "refund" if self.charges() and isinstance(detail, int):
                ask_back = CreateRefund(payment_intent="pi_1", charge=None, amount=detail, reason=None, metadata={})
                return refunds.create(ask_back, self.charges()[0], TERMS, self.moment)
        return Decision(answer=self.intent)


@given(st.lists(STEPS, max_size=12))
def test_an_intent_charges_at_most_once_and_its_end_is_final(steps: list[tuple[str, str | int | None]]) -> None:
    world = World()
    for step, detail in steps:
        before = world.intent
        world.take(world.do(step, detail))
        if before.status in (IntentStatus.SUCCEEDED, IntentStatus.CANCELED):
            assert world.intent == before
    assert len(world.charges()) == (1 if world.intent.status is IntentStatus.SUCCEEDED else 0)
    assert world.intent.amount_received == sum(charge.amount for charge in world.charges())


@given(st.lists(STEPS, max_size=12))
def test_the_books_add_up_to_what_was_charged_refunded_and_disputed(steps: list[tuple[str, str | int | None]]) -> None:
    world = World()
    for step, detail in steps:
        world.take(world.do(step, detail))
    lines = [kept for kept in world.kept.values() if isinstance(kept, BalanceTransaction)]
    withdrawn = [
        kept.amount for kept in world.kept.values() if isinstance(kept, Dispute) and kept.status == "needs_response"
    ]
    charged = sum(charge.amount - charge.amount_refunded for charge in world.charges())
    assert sum(line.amount for line in lines) == charged - sum(withdrawn)
    assert all(line.net == line.amount - line.fee for line in lines)
    assert all(0 <= charge.amount_refunded <= charge.amount for charge in world.charges())
