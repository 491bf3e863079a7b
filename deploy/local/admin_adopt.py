"""`piperoll admin adopt-tail SERVICE SHARD`: a store that is an old copy gets back what its topics hold of its log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.local.errors import LocalStackError, NotRunningError
from deploy.local.options import DEFAULT_STATE, State

if TYPE_CHECKING:
    from shared.eventlog.adopt import Adopted


def mount(admin: typer.Typer) -> None:
    """Add `adopt-tail` to the operator's commands."""
    admin.command("adopt-tail")(adopt_tail)


def adopt_tail(
    service: Annotated[str, typer.Argument(help="Whose log: gateway, billing, ledger, notifier.")],
    shard: Annotated[int, typer.Argument(min=0, help="Which shard of it.")],
    shards: Annotated[int, typer.Option(min=1, help="How many shards the system has.")] = 8,
    dsn: Annotated[
        str | None, typer.Option(help="DSN of the service's database, as an operator who may order.")
    ] = None,
    bootstrap: Annotated[str | None, typer.Option(help="Kafka's address; else that of the running stack.")] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Append to a shard's log what its topics hold above its end, after checking that it is its continuation."""
    from deploy.local.admin_parked import database, order_release_of_adopted
    from shared.errors import PiperollError

    with _servers(state, dsn, bootstrap) as address:
        where = database(state, dsn, service)
        try:
            adopted = asyncio.run(adopt(service, shard, shards, where, address))
        except PiperollError as error:
            raise LocalStackError(str(error)) from error
        ordered = order_release_of_adopted(where, shard)
    if adopted.after == adopted.before:
        typer.echo(f"{service} shard {shard} lacks nothing: its log ends at {adopted.before}, and so do its topics")
    else:
        typer.echo(f"{service} shard {shard}: adopted positions {adopted.before + 1} to {adopted.after}")
    if ordered:
        typer.echo(f"{ordered} records that the tail says nothing of are decided again when the service runs")


@contextmanager
def _servers(state: Path, dsn: str | None, bootstrap: str | None) -> Iterator[str]:
    """Yield Kafka's address; PostgreSQL and Kafka of a stack that does not run are started for the time being."""
    from deploy.local.admin_relay import bootstrap_of

    if dsn and bootstrap:
        yield bootstrap
        return
    try:
        running = bootstrap or bootstrap_of(state)
    except NotRunningError:
        from deploy.local.stack import Stack

        with Stack(state, only=("postgres", "kafka")) as stack:
            yield stack.bootstrap
    else:
        yield running


async def adopt(service: str, shard: int, shards: int, dsn: str, bootstrap: str) -> "Adopted":
    """Adopt a shard's tail over these servers; the errors are those of `Adoption.run`."""
    from shared.eventlog.adopt import Adoption
    from shared.eventlog.postgres import PostgresStore
    from shared.kafka.tails import KafkaTails

    topics = KafkaTails(bootstrap)
    if service == "gateway":
        statements = import_module("services.gateway.statements")
        store = PostgresStore(dsn, service, statements=statements.STATEMENTS)
        adoption = Adoption(service, shard, shards, store, topics, None, statements.request_of)
    else:
        store = PostgresStore(dsn, service)
        registry = import_module(f"services.{service}.handlers").REGISTRY
        adoption = Adoption(service, shard, shards, store, topics, registry)
    try:
        return await adoption.run()
    finally:
        await store.close()
