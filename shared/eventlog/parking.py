"""A copy of a parked record for people to look at: the record itself waits in the database of its shard's owner."""

from shared.eventlog.ports import Outgoing, Parked


def dead_letter(service: str, shard: int, parked: Parked) -> Outgoing:
    """Return the message for `<topic>.dlt`: the value as it came; cause and place in the headers."""
    headers = [
        ("cause", parked.cause.encode()),
        ("parked_by", service.encode()),
        ("parked_shard", str(shard).encode()),
        ("source_shard", str(parked.source_shard).encode()),
        ("position", str(parked.position).encode()),
    ]
    if parked.type:
        headers.append(("ce_type", parked.type.encode()))
    if parked.trace:
        headers.append(("traceparent", parked.trace.encode()))
    return Outgoing(
        topic=parked.topic + ".dlt", partition=shard, key=parked.key.encode(), value=parked.data, headers=headers
    )
