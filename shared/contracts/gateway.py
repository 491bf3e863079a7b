"""What the gateway appends and sends: requests of people and nudges of the processor."""

from typing import ClassVar

import msgspec

from shared.contracts.event import Currency, Day, Event, Instant, Method, PositiveMinor, PremiumLine


class PersonField(msgspec.Struct, frozen=True, kw_only=True):
    """Names one row of `people`: the event never holds the text itself."""

    field: str
    version: int


class AccountRequested(Event, frozen=True, kw_only=True):
    """Staff asked for a billing account (a household)."""

    TYPE: ClassVar[str] = "gateway.account-requested.v1"
    account_id: str
    member_id: str
    language: str
    contact: tuple[PersonField, ...]
    received_at: Instant


class InvoiceRequested(Event, frozen=True, kw_only=True):
    """Staff asked for a bill."""

    TYPE: ClassVar[str] = "gateway.invoice-requested.v1"
    invoice_id: str
    account_id: str
    due_date: Day
    currency: Currency
    lines: tuple[PremiumLine, ...]
    received_at: Instant


class PaymentRequested(Event, frozen=True, kw_only=True):
    """Somebody asked to pay a bill; `received_at` decides timeliness."""

    TYPE: ClassVar[str] = "gateway.payment-requested.v1"
    payment_id: str
    reference: str
    account_id: str
    invoice_id: str
    amount_minor: PositiveMinor
    currency: Currency
    method: Method
    received_at: Instant


class WebhookReceived(Event, frozen=True, kw_only=True):
    """The processor nudged us. Never a fact: what it speaks of is read afresh; its body is kept as a hash only.

    `account_id` is the household where the verified object's metadata names one, else None; the record is then keyed
    and sharded by `object_id`.
    """

    TYPE: ClassVar[str] = "gateway.webhook-received.v1"
    provider: str
    provider_event_id: str
    kind: str
    object_id: str
    body_sha256: str
    account_id: str | None = None
    attempt_id: str | None = None
    received_at: Instant


GATEWAY_EVENTS: tuple[type[Event], ...] = (AccountRequested, InvoiceRequested, PaymentRequested, WebhookReceived)
