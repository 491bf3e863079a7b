"""JSON Schemas (2020-12) of what stands on a topic: the envelope around one typed payload."""

import inspect
from typing import Any

import msgspec

from shared.contracts.envelope import ALL_EVENTS, Envelope
from shared.contracts.event import Event


def schema_of(event: type[Event]) -> dict[str, Any]:
    """Return the schema of one event type's record value, complete in itself."""
    (envelope, payload), definitions = msgspec.json.schema_components([Envelope, event], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:piperoll:event:{event.TYPE}",
        "title": event.TYPE,
        "description": _first_line(event),
        **typed(event, envelope, payload),
        "$defs": _tidied(definitions),
    }


def typed(event: type[Event], envelope: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope narrowed to one type and its payload."""
    return {"allOf": [envelope, {"properties": {"type": {"const": event.TYPE}, "payload": payload}}]}


def all_schemas(ref_template: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the envelope's schema, each type's payload schema, and their common definitions."""
    (envelope, *payloads), definitions = msgspec.json.schema_components(
        [Envelope, *ALL_EVENTS], ref_template=ref_template
    )
    by_type = {event.TYPE: payload for event, payload in zip(ALL_EVENTS, payloads, strict=True)}
    return envelope, by_type, _tidied(definitions)


def _tidied(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return definitions by name, descriptions without the indentation of a docstring."""
    return {
        name: {
            key: inspect.cleandoc(value) if key == "description" else value for key, value in definitions[name].items()
        }
        for name in sorted(definitions)
    }


def _first_line(event: type[Event]) -> str:
    return (event.__doc__ or event.__name__).strip().splitlines()[0]
