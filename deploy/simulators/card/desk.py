"""What a call works with, and what a call is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from deploy.simulators.card.books import Terms
from deploy.simulators.card.errors import missing
from deploy.simulators.card.form import Parameters
from deploy.simulators.card.intents import Twist
from deploy.simulators.card.objects import Charge, Decision, Dispute, Intent, Moment, Refund
from deploy.simulators.card.store import Store

Ask = TypeVar("Ask")
_CHARGED_BACK = """
SELECT 1 FROM object WHERE kind = 'dispute' AND source = ?
AND data ->> '$.status' IN ('needs_response', 'under_review', 'lost') LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """The store to read, the terms, this program's own address, the moment, and what a fault changes."""

    store: Store
    terms: Terms
    site: str
    moment: Moment
    twist: Twist

    def intent(self, intent_id: str, param: str = "intent", status: int = 404) -> Intent:
        found = self.store.load(Intent, intent_id)
        if found is None:
            raise missing("payment_intent", intent_id, param, status)
        return found

    def charge(self, charge_id: str, param: str = "charge", status: int = 404) -> Charge:
        found = self.store.load(Charge, charge_id)
        if found is None:
            raise missing("charge", charge_id, param, status)
        return found

    def refund(self, refund_id: str) -> Refund:
        found = self.store.load(Refund, refund_id)
        if found is None:
            raise missing("refund", refund_id, "refund")
        return found

    def dispute(self, dispute_id: str) -> Dispute:
        found = self.store.load(Dispute, dispute_id)
        if found is None:
            raise missing("dispute", dispute_id, "dispute")
        return found

    def is_charged_back(self, charge_id: str) -> bool:
        """Return whether a bank holds the money of a charge; a won dispute and an inquiry do not count."""
        return bool(self.store.rows(_CHARGED_BACK, charge_id))


@dataclass(frozen=True, slots=True)
class Call(Generic[Ask]):
    """A call of the API: `read` checks parameters (and may say `Invalid`), `run` decides; `answers` with which kind."""

    name: str
    read: Callable[[Parameters, str], Ask]
    run: Callable[[Desk, Ask], Decision]
    answers: str
    is_list: bool = False


AnyCall = Call[Any]
