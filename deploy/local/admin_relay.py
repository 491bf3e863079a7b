"""`piperoll admin relay --refill TOPIC`: has records published again from the log of the service that wrote them."""

import asyncio
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.local.errors import LocalStackError
from deploy.local.options import DEFAULT_STATE, State

if TYPE_CHECKING:
    from shared.contracts.chains import Refill


def mount(admin: typer.Typer) -> None:
    """Add `relay` to the operator's commands."""
    admin.command("relay")(relay)


def relay(
    refill: Annotated[str, typer.Option("--refill", metavar="TOPIC", help="The topic to fill again.")],
    start: Annotated[int, typer.Option("--from", metavar="POSITION", min=1, help="First position of the log.")] = 1,
    shard: Annotated[int | None, typer.Option(min=0, help="Only this shard's log; else every shard's.")] = None,
    service: Annotated[str | None, typer.Option(help="Whose log; the topic's producer, which it must be.")] = None,
    shards: Annotated[int, typer.Option(min=1, help="How many shards the system has.")] = 8,
    bootstrap: Annotated[str | None, typer.Option(help="Kafka's address; else that of the running stack.")] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Ask the shards' owners to publish what their logs have for a topic once more; readers skip what they have."""
    from shared.contracts.chains import Refill
    from shared.contracts.topics import BILLING_ROUTED, BY_NAME

    topic = BY_NAME.get(refill)
    if topic is None or topic.kind != "events":
        known = ", ".join(sorted(name for name, one in BY_NAME.items() if one.kind == "events"))
        raise LocalStackError(f"{refill} carries no events of a log: one of {known}")
    if service not in (None, topic.producer):
        raise LocalStackError(f"{refill} is filled by {topic.producer}, not by {service}")
    if shard is not None and shard >= shards:
        raise LocalStackError(f"there are {shards} shards, numbered from 0")
    sources = range(shards) if shard is None else [shard]
    asked = [
        Refill(
            topic=refill,
            service=topic.producer,
            shard=source,
            partition=partition,
            from_position=start,
            asked_by=getpass.getuser(),
        )
        for source in sources
        for partition in (range(shards) if refill == BILLING_ROUTED else [source])
    ]
    asyncio.run(_send(bootstrap or bootstrap_of(state), asked))
    typer.echo(
        f"asked {topic.producer} to publish {refill} from position {start} again, "
        f"shard{'s' if len(sources) > 1 else ''} {', '.join(map(str, sources))}: "
        f"its workers do so while they run (piperoll_refills_served_total)"
    )


async def _send(bootstrap: str, asked: "Sequence[Refill]") -> None:
    from shared.errors import WorldFault
    from shared.eventlog.gaps import refill_message
    from shared.kafka.publisher import KafkaPublisher

    publisher = KafkaPublisher(bootstrap, "piperoll-admin")
    try:
        await publisher.publish([refill_message(one) for one in asked])
    except WorldFault as error:
        raise LocalStackError(f"Kafka does not take the request: {error}") from error
    finally:
        await publisher.stop()


def bootstrap_of(state: Path) -> str:
    """Return the address of the running stack's Kafka."""
    from deploy.local.folder import StateFolder
    from deploy.local.status import addresses_of

    return addresses_of(StateFolder(state))["PIPEROLL_KAFKA_BOOTSTRAP"]
