"""A payment and its one attempt: what it can be, as types.

    Held ──▶ Planned ──▶ Registered ──▶ ActionRequired ──▶ Settled | Declined | Cancelled
      │         │             └───▶ Unknown ◀──▶ ┘               ▲
      └─────────┴────────────────────────────────────────────────┘ (Declined, Cancelled only)

A final payment keeps only what tells a repeat from a second charge.
"""

import msgspec

from shared.contracts.event import Method


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A held payment as it was asked for."""

    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    amount_minor: int
    currency: str
    method: Method
    received_at: str
    policy_id: str | None
    return_url: str | None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; an attempt's events repeat it."""

    payment_id: str
    reference: str
    attempt_id: str
    invoice_id: str
    amount_minor: int
    currency: str
    token: str
    policy_id: str | None = None
    accepts_credit: bool = False


class Held(msgspec.Struct, frozen=True, tag=True):
    """Perhaps asked for twice: nobody has decided, nothing is tried. `ask` is what would be planned."""

    ask: Ask


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
    """What is left of a final payment; `charge_ref` is the charge that settled it, at `settled_at`.

    A cheque has neither attempt nor charge.
    """

    attempt_id: str
    reference: str
    invoice_id: str | None
    amount_minor: int
    currency: str
    processor_ref: str | None = None
    charge_ref: str | None = None
    settled_at: str | None = None
    token: str = ""


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
Payment = Held | Planned | Registered | ActionRequired | Unknown | Settled | Declined | Cancelled


def attempt_of(payment: Payment) -> str:
    """Return the id of a payment's attempt."""
    match payment:
        case Settled() | Declined() | Cancelled():
            return payment.summary.attempt_id
        case Held():
            return payment.ask.attempt_id
        case _:
            return payment.terms.attempt_id


def reference_of(payment: Payment) -> str:
    """Return what a person reads out."""
    match payment:
        case Settled() | Declined() | Cancelled():
            return payment.summary.reference
        case Held():
            return payment.ask.reference
        case _:
            return payment.terms.reference


def invoice_of(payment: Payment) -> str | None:
    """Return the bill that a payment names."""
    match payment:
        case Settled() | Declined() | Cancelled():
            return payment.summary.invoice_id
        case Held():
            return payment.ask.invoice_id
        case _:
            return payment.terms.invoice_id


def reference_at_rail(payment: Payment) -> str | None:
    """Return the registered name at the rail, None where none was registered."""
    match payment:
        case Held() | Planned():
            return None
        case Registered() | ActionRequired() | Unknown():
            return payment.processor_ref
        case _:
            return payment.summary.processor_ref


def summary_of(payment: Open, charge_ref: str | None = None, settled_at: str | None = None) -> Summary:
    """Return what is kept of a payment that ends now."""
    terms = payment.terms
    return Summary(
        attempt_id=terms.attempt_id,
        reference=terms.reference,
        invoice_id=terms.invoice_id,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        processor_ref=reference_at_rail(payment),
        charge_ref=charge_ref,
        settled_at=settled_at,
        token=terms.token,
    )


def given_up(held: Held) -> Summary:
    """Return what is kept of a held payment that is not made."""
    ask = held.ask
    return Summary(
        attempt_id=ask.attempt_id,
        reference=ask.reference,
        invoice_id=ask.invoice_id,
        amount_minor=ask.amount_minor,
        currency=ask.currency,
        token=ask.method.token,
    )
