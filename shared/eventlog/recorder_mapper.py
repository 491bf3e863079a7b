"""The mapper of `eventsourcing` for msgspec events under stable names."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

C = TypeVar("C", bound=type[msgspec.Struct])

_name_of: dict[type, str] = {}
_type_of: dict[str, Callable[[bytes], Any]] = {}


def stored_as(name: str) -> Callable[[C], C]:
    """Give a msgspec Struct with `originator_id` and `originator_version` the stable name under which it is stored."""

    def register(cls: C) -> C:
        if name in _type_of:
            raise ValueError(f"{name} is taken")
        _name_of[cls] = name
        _type_of[name] = msgspec.json.Decoder(cls).decode
        return cls

    return register


class LogMapper(Mapper[Any]):
    """msgspec Structs named by `stored_as` as JSON, everything else as the library does it."""

    _encode = staticmethod(msgspec.json.Encoder().encode)

    def to_stored_event(self, domain_event: DomainEventProtocol[Any]) -> StoredEvent:
        name = _name_of.get(type(domain_event))
        if name is None:
            return super().to_stored_event(domain_event)
        return StoredEvent(
            domain_event.originator_id, domain_event.originator_version, name, self._encode(domain_event)
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[Any]:
        decode = _type_of.get(stored_event.topic)
        if decode is None:
            return super().to_domain_event(stored_event)
        event: DomainEventProtocol[Any] = decode(stored_event.state)
        return event
