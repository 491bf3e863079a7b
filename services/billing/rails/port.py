"""What billing asks of a rail, and the answers: yes, no, or unknown, each a type of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from shared.contracts.billing import ReportLine
from shared.errors import WorldFault


class RailDown(WorldFault):
    """A list of the rail could not be read; nothing was changed by asking."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be charged and for whom; `token` is the rail's name of the instrument, `key` spares double work."""

    tenant: str
    account_id: str
    payment_id: str
    attempt_id: str
    amount_minor: int
    currency: str
    token: str
    key: str


class RefundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Which charge gives back how much; our `refund_id` is in its metadata, by which it is found again."""

    tenant: str
    account_id: str
    payment_id: str
    refund_id: str
    charge_ref: str
    amount_minor: int
    key: str


class RefundState(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as the rail has it; times are those of its lines in the rail's books."""

    ref: str
    refund_id: str | None
    status: Literal["pending", "succeeded", "failed", "canceled"]
    reason: str
    sent_at: datetime
    ended_at: datetime | None


class Refunded(msgspec.Struct, frozen=True):
    """The rail has taken the refund."""

    state: RefundState


class DisputeState(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as the rail has it, and the ids of ours in its intent's metadata (None: it names none)."""

    ref: str
    status: str
    reason: str
    amount_minor: int
    currency: str
    intent_ref: str
    charge_ref: str
    tenant: str | None
    account_id: str | None
    payment_id: str | None
    attempt_id: str | None
    opened_at: datetime
    due_by: datetime | None
    debited_minor: int
    fee_minor: int
    debited_at: datetime | None
    reinstated_minor: int
    reinstated_at: datetime | None


class Created(msgspec.Struct, frozen=True):
    """The rail has it, unconfirmed, under this name."""

    ref: str


class Succeeded(msgspec.Struct, frozen=True, kw_only=True):
    """Charged, for ever."""

    ref: str
    charge_ref: str
    amount_minor: int
    currency: str
    settled_at: datetime


class ActionRequired(msgspec.Struct, frozen=True):
    """The member must go to `url` first."""

    url: str


class Processing(msgspec.Struct, frozen=True):
    """Under way at the rail: cannot be cancelled now."""


class Unconfirmed(msgspec.Struct, frozen=True):
    """Nobody has asked for the charge yet."""


class NoSuccess(msgspec.Struct, frozen=True):
    """The issuer's no; until it is cancelled a delayed confirm could still charge."""

    reason: str


class Canceled(msgspec.Struct, frozen=True):
    """It can never charge any more; `reason` is the last no before that, if any."""

    reason: str | None


class Refused(msgspec.Struct, frozen=True):
    """The rail will not even take the order (a bad token, an amount out of bounds): nothing exists there."""

    reason: str


class Busy(msgspec.Struct, frozen=True):
    """The rail did not try (409, 429): ask again soon."""


class NoAnswer(msgspec.Struct, frozen=True):
    """Unknown. `spoiled`: the rail answered with a fault that its idempotency key would repeat."""

    spoiled: bool = False


class Misasked(msgspec.Struct, frozen=True):
    """Our fault (key, configuration, a name that the rail does not know); `code` is for operators."""

    code: str


CreateAnswer = Created | Refused | Busy | NoAnswer | Misasked
ChargeAnswer = Succeeded | ActionRequired | Processing | Unconfirmed | NoSuccess | Canceled | Busy | NoAnswer | Misasked


RefundAnswer = Refunded | Refused | Busy | NoAnswer | Misasked


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the rail's event list; ids are None where its object names none of ours."""

    event_id: str
    kind: str
    object_id: str
    tenant: str | None
    account_id: str | None
    attempt_id: str | None


class Rail(Protocol):
    """A card rail. A mere reading may raise RailDown; of all else the answer's type says what came of it."""

    processor: str

    async def create(self, order: Order) -> CreateAnswer:
        """Make an unconfirmed intent."""
        ...

    async def confirm(self, ref: str, return_url: str | None) -> ChargeAnswer:
        """Ask for the charge; an intent is charged at most once, so this is safe to repeat.

        The member comes back to `return_url` after a question of their bank, None: to the configured place.
        """
        ...

    async def retrieve(self, ref: str) -> ChargeAnswer:
        """Read the present state."""
        ...

    async def cancel(self, ref: str) -> ChargeAnswer:
        """Cancel, or tell why not: what has succeeded or is processing stays so."""
        ...

    async def charge(self, ref: str) -> ChargeAnswer:
        """Read a charge: succeeded, or cancelled where it took nothing."""
        ...

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money back; who has no answer looks for it before asking again."""
        ...

    async def refunds_of(self, intent_ref: str) -> Sequence[RefundState]:
        """Return all refunds of an intent's charges (RailDown)."""
        ...

    async def refund_state(self, ref: str) -> RefundState | None:
        """Return a refund, None where the rail does not know it (RailDown)."""
        ...

    async def dispute(self, ref: str) -> DisputeState | None:
        """Return a dispute, None where the rail does not know it (RailDown)."""
        ...

    async def balance_lines(self, begin: datetime | None, end: datetime) -> Sequence[ReportLine]:
        """Return what moved our balance in [begin, end), oldest first (RailDown)."""
        ...

    async def stale(self, tenant: str, begin: datetime, end: datetime) -> Sequence[str]:
        """Return the tenant's intents made in [begin, end) that have not ended (RailDown)."""
        ...

    async def told_since(self, begin: datetime) -> Sequence[Told]:
        """Return the rail's own record of what happened to intents since `begin`, oldest first (RailDown)."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...
