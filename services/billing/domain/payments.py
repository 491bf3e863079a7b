"""A payment and its one attempt: what it can be, as types.

    Planned ──▶ Registered ──▶ ActionRequired ──▶ Settled | Declined | Cancelled
       │             └───▶ Unknown ◀──▶ ┘               ▲
       └────────────────────────────────────────────────┘ (Declined, Cancelled only)

A final payment keeps only what tells a repeat from a second charge.
"""

import msgspec


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; an attempt's events repeat it."""

    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    amount_minor: int
    currency: str


class Planned(msgspec.Struct, frozen=True, tag=True):
    """Intended; the rail has no name for it that we know."""

    terms: Terms


class Registered(msgspec.Struct, frozen=True, tag=True):
    """The rail's name is committed; from here on it may be charged."""

    terms: Terms
    processor_ref: str


class ActionRequired(msgspec.Struct, frozen=True, tag=True):
    """The member is asked to do something."""

    terms: Terms
    processor_ref: str


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """Neither yes nor no; `processor_ref` is None where the rail's name was not known yet."""

    terms: Terms
    processor_ref: str | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a final payment; `charge_ref` is the charge that settled it."""

    attempt_id: str
    amount_minor: int
    currency: str
    processor_ref: str | None
    charge_ref: str | None = None


class Settled(msgspec.Struct, frozen=True, tag=True):
    """The processor holds the money."""

    summary: Summary


class Declined(msgspec.Struct, frozen=True, tag=True):
    """The processor said no."""

    summary: Summary


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """Ended without charge."""

    summary: Summary


Open = Planned | Registered | ActionRequired | Unknown
Final = Settled | Declined | Cancelled
Payment = Planned | Registered | ActionRequired | Unknown | Settled | Declined | Cancelled


def attempt_of(payment: Payment) -> str:
    """Return the id of a payment's attempt."""
    match payment:
        case Settled() | Declined() | Cancelled():
            return payment.summary.attempt_id
        case _:
            return payment.terms.attempt_id


def reference_at_rail(payment: Payment) -> str | None:
    """Return the registered name at the rail, None where none was registered."""
    match payment:
        case Planned():
            return None
        case Registered() | ActionRequired() | Unknown():
            return payment.processor_ref
        case _:
            return payment.summary.processor_ref


def summary_of(payment: Open, charge_ref: str | None = None) -> Summary:
    """Return what is kept of a payment that ends now."""
    terms = payment.terms
    return Summary(
        attempt_id=terms.attempt_id,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        processor_ref=reference_at_rail(payment),
        charge_ref=charge_ref,
    )
