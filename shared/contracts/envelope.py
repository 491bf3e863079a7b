"""The envelope: the bytes that are stored, hashed, published and exported, the same everywhere."""

from typing import Any

import msgspec

from shared.contracts.billing import BILLING_EVENTS
from shared.contracts.direct import DIRECT_EVENTS, DIRECT_REQUESTS
from shared.contracts.event import Actor, Event
from shared.contracts.gateway import GATEWAY_EVENTS
from shared.contracts.ledger import LEDGER_EVENTS
from shared.contracts.notifier import NOTIFIER_EVENTS
from shared.errors import BadRecord

MAX_DATA_BYTES = 65_535
ALL_EVENTS: tuple[type[Event], ...] = (
    GATEWAY_EVENTS + DIRECT_REQUESTS + BILLING_EVENTS + LEDGER_EVENTS + DIRECT_EVENTS + NOTIFIER_EVENTS
)
BY_TYPE: dict[str, type[Event]] = {event.TYPE: event for event in ALL_EVENTS}


class _Surrounding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said of a payload; see `Envelope`."""

    tenant: str
    event_id: str
    type: str
    stream: str
    version: int
    recorded_at: str
    effective_date: str
    actor: Actor
    correlation: str
    causation: str | None


class Envelope(_Surrounding, frozen=True, kw_only=True):
    """What surrounds a payload. `event_id` is 32 hexadecimal digits; `stream` and `version` place it in its log.

    `correlation` is the id of the request that began it all, `causation` the event id that directly caused it.
    """

    payload: msgspec.Raw


class Unsealed(_Surrounding, frozen=True, kw_only=True):
    """An envelope about to be written: sealed, its bytes are those of an `Envelope` with the encoded event."""

    payload: Event


class Fact(msgspec.Struct, frozen=True, gc=False):
    """An opened envelope: its payload is a typed event."""

    envelope: Envelope
    event: Event


# The envelope's decoder does not look into the payload's strings; a RecursionError is too deep a nesting.
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode
_open_envelope = msgspec.json.Decoder(Envelope).decode
OPENERS: dict[str, Any] = {name: msgspec.json.Decoder(event).decode for name, event in BY_TYPE.items()}
"""What opens a payload, by the event types that this version knows; the others are a newer version's."""


def encode_event(event: Event) -> msgspec.Raw:
    """Return an event's payload bytes; the field order is the struct's, so equal events give equal bytes."""
    return msgspec.Raw(_encode(event))


def seal(envelope: Envelope | Unsealed) -> bytes:
    """Return the envelope's bytes; more than 65,535 raise ValueError (a writer must cut such an event in parts)."""
    data = _encode(envelope)
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"{envelope.type} has {len(data)} bytes, at most {MAX_DATA_BYTES} fit")
    return data


def open_envelope(data: bytes) -> Envelope:
    """Return the envelope without opening its payload; bytes that are none raise BadRecord."""
    if len(data) > MAX_DATA_BYTES:
        raise BadRecord("too_large", f"{len(data)} bytes, at most {MAX_DATA_BYTES}")
    try:
        return _open_envelope(data)
    except msgspec.ValidationError as error:
        raise BadRecord("wrong_schema", str(error)) from error
    except _NOT_JSON as error:
        raise BadRecord("not_json", str(error)) from error


def open_payload(envelope: Envelope) -> Event:
    """Return the typed event; an unknown type or a payload off its schema raises BadRecord."""
    decode = OPENERS.get(envelope.type)
    if decode is None:
        raise BadRecord("unknown_type", envelope.type)
    try:
        event: Event = decode(envelope.payload)
    except msgspec.ValidationError as error:
        raise BadRecord("wrong_schema", f"{envelope.type}: {error}") from error
    except _NOT_JSON as error:
        raise BadRecord("not_json", f"{envelope.type}: {error}") from error
    return event


def open_fact(data: bytes) -> Fact:
    """Return envelope and typed event of stored or received bytes; what is neither raises BadRecord."""
    envelope = open_envelope(data)
    return Fact(envelope, open_payload(envelope))
