"""The AsyncAPI 3.0 document: every topic, what stands on it, who sends and who receives."""

from typing import Any

import msgspec

from shared.contracts.envelope import ALL_EVENTS
from shared.contracts.event import Event
from shared.contracts.ledger import BalanceStated
from shared.contracts.schema import all_schemas, typed
from shared.contracts.topics import ALL_TOPICS, LEDGER_BALANCES, SERVICES, Topic, topics_of

_KINDS = {
    "events": "Log events in chains: each record names the one before it from its shard by position and hash.",
    "state": "State: the record with the highest position of a key counts.",
    "notice": "Short-lived notices between services.",
    "dead": "Copies of parked records, for people to look at; the records themselves wait in a database.",
}
_HEADERS = {
    "ce_specversion": "CloudEvents version, 1.0",
    "ce_id": "Event id, 32 hexadecimal digits",
    "ce_source": "piperoll/<service>",
    "ce_type": "Event type",
    "ce_time": "RFC 3339 instant of recording",
    "ce_subject": "Stream",
    "content-type": "application/json",
    "schema": "Version of the type",
    "source": "Service whose log it is",
    "shard": "Shard of that log",
    "position": "Position in that log, from 1",
    "previous": "Position of the record before it from this shard in this partition, 0 for none",
    "previous_hash": "Leaf hash (RFC 6962) of that record, hexadecimal, empty for none",
}


def asyncapi_document() -> dict[str, Any]:
    """Return the document; partitions are as many as there are shards."""
    envelope, payloads, definitions = all_schemas("#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Piperoll",
            "version": "1",
            "description": "What the services of Piperoll say to each other over Kafka.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in ALL_TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {
                **{event.TYPE: _message(event, envelope, payloads[event.TYPE]) for event in ALL_EVENTS},
                BalanceStated.TYPE: _stated(),
            },
            "messageTraits": {"record": {"headers": _headers()}},
            "schemas": definitions,
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    types = [event.TYPE for event in ALL_EVENTS if topic.name in topics_of(event.TYPE)]
    if topic.name == LEDGER_BALANCES:
        types = [BalanceStated.TYPE]
    return {
        "address": topic.name,
        "description": _KINDS[topic.kind],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {
                    "cleanup.policy": ["compact"] if topic.compacted else ["delete"],
                    "retention.ms": topic.retention_ms,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations() -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in ALL_TOPICS:
        if topic.kind != "events":
            continue
        operations[f"{topic.producer}.send.{topic.name}"] = _operation(topic, "send")
        for consumer in topic.consumers:
            if consumer in SERVICES:
                operations[f"{consumer}.receive.{topic.name}"] = _operation(topic, "receive")
    return operations


def _operation(topic: Topic, action: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}


def _message(event: type[Event], envelope: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": (event.__doc__ or event.__name__).strip().splitlines()[0],
        "contentType": "application/json",
        "payload": typed(event, envelope, payload),
        "traits": [{"$ref": "#/components/messageTraits/record"}],
    }


def _stated() -> dict[str, Any]:
    """A state's record has no envelope, no chain and a key of its own."""
    _, schemas = msgspec.json.schema_components([BalanceStated])
    return {
        "name": BalanceStated.TYPE,
        "title": BalanceStated.__name__,
        "summary": (BalanceStated.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "payload": schemas[BalanceStated.__name__],
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(_HEADERS),
        "properties": {
            **{name: {"type": "string", "description": text} for name, text in _HEADERS.items()},
            "digest": {"type": "string", "description": "SHA-256 of the request, hexadecimal, where one has a key"},
            "request": {"type": "string", "description": "How the gateway lists the request, JSON; its events only"},
            "traceparent": {"type": "string", "description": "W3C trace context of the request that began it"},
        },
    }
