"""The base of every event and the small structs that events share."""

from typing import Annotated, ClassVar, Literal

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Minor = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1, description="Integer minor units (cents)")]
PositiveMinor = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1, description="Integer minor units (cents), above 0")]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="Civil date in the tenant's zone")]
Month = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}$", description="Coverage month")]
Instant = Annotated[str, msgspec.Meta(description="RFC 3339 instant in UTC, six decimals")]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact: immutable, past tense, complete.

    `TYPE` is the stored name, for ever. A field is only ever added, with a default; anything else is a new type with
    an upcaster. An event inside a household names it as `account_id`, the key of its record on every topic.
    """

    TYPE: ClassVar[str] = ""

    def effective_on(self) -> str | None:
        """Return the civil date on which the fact counts, or None where that is the day it is recorded."""
        for field in ("effective_date", "settled_on", "day"):
            date: str | None = getattr(self, field, None)
            if date is not None:
                return date
        return None


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who caused an event. `id` is our own, never a token's subject."""

    kind: Literal["member", "staff", "assister", "system", "processor", "bank"]
    id: str


class PremiumLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One policy and coverage month of an invoice; the member owes gross less both subsidies."""

    policy_id: str
    coverage_month: Month
    gross_minor: Annotated[int, msgspec.Meta(ge=0)]
    aptc_minor: Annotated[int, msgspec.Meta(ge=0)] = 0
    state_subsidy_minor: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def member_minor(self) -> int:
        """What the member owes for this line."""
        return self.gross_minor - self.aptc_minor - self.state_subsidy_minor


class PolicyMonth(msgspec.Struct, frozen=True, kw_only=True):
    """Names one line of an invoice."""

    policy_id: str
    coverage_month: Month


class Method(msgspec.Struct, frozen=True):
    """How a payment is made; `token` is the processor's opaque name of the instrument."""

    type: Literal["card"]
    token: str


class Allocation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a payment that pays one line of one invoice."""

    invoice_id: str
    policy_id: str
    coverage_month: Month
    amount_minor: PositiveMinor
