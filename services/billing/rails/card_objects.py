"""The parts of the processor's objects that decide an attempt, as its JSON gives them."""

from typing import Any

import msgspec


class BalanceTransaction(msgspec.Struct, frozen=True):
    """A line of the processor's books; `created` in seconds since 1970."""

    id: str
    created: int


class Charge(msgspec.Struct, frozen=True):
    """A charge; its balance transaction is an id where it was not expanded."""

    id: str
    created: int
    status: str = ""
    amount: int = 0
    currency: str = ""
    payment_intent: str | None = None
    balance_transaction: BalanceTransaction | str | None = None


class Redirect(msgspec.Struct, frozen=True):
    """Where the member is sent."""

    url: str | None = None


class NextAction(msgspec.Struct, frozen=True):
    """What the member is asked to do."""

    redirect_to_url: Redirect | None = None


class Intent(msgspec.Struct, frozen=True):
    """A PaymentIntent; its latest charge is an id where it was not expanded."""

    id: str
    status: str
    currency: str
    amount_received: int = 0
    latest_charge: Charge | str | None = None
    next_action: NextAction | None = None
    last_payment_error: dict[str, Any] | None = None
    metadata: dict[str, str] = {}


class Refund(msgspec.Struct, frozen=True):
    """A refund; the line that undid it is None while it stands."""

    id: str
    created: int
    status: str
    metadata: dict[str, str] = {}
    failure_reason: str | None = None
    balance_transaction: BalanceTransaction | str | None = None
    failure_balance_transaction: BalanceTransaction | str | None = None


class Line(msgspec.Struct, frozen=True):
    """A dispute's line in the processor's books: below zero where it takes our money."""

    amount: int
    fee: int
    created: int


class Evidence(msgspec.Struct, frozen=True):
    """Until when a dispute may be answered."""

    due_by: int | None = None


class Dispute(msgspec.Struct, frozen=True):
    """A dispute of one charge."""

    id: str
    amount: int
    charge: str
    created: int
    currency: str
    reason: str
    status: str
    payment_intent: Intent | str | None = None
    evidence_details: Evidence = Evidence()
    balance_transactions: tuple[Line, ...] = ()
