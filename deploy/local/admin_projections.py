"""`piperoll admin projections`: how far each is, a rebuild beside the live one, a comparison with its facts.

A rebuild runs here, not in the service; the service folds and answers on until the swap.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.options import DEFAULT_STATE, State

if TYPE_CHECKING:
    from shared.eventlog.origin import Origin, Positions
    from shared.eventlog.projections import Projection

app = typer.Typer(
    help="What answers questions, folded from the logs.", no_args_is_help=True, rich_markup_mode=None
)  # fmt: skip

SERVICES = ("gateway", "ledger", "notifier")

Dsn = Annotated[str | None, typer.Option("--dsn", help="DSN of the service's database, in place of the stack's.")]
Bootstrap = Annotated[str | None, typer.Option(help="Kafka's address, for the gateway's; else that of the stack.")]
Name = Annotated[str, typer.Argument(help="Which projection, as `list` prints it.")]


def mount(admin: typer.Typer) -> None:
    """Add `projections` to the operator's commands."""
    admin.add_typer(app, name="projections")


@app.command("list")
def list_projections(
    service: Annotated[str | None, typer.Option(help="Only this service: gateway, ledger, notifier.")] = None,
    state: State = DEFAULT_STATE,
    dsn: Dsn = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Print each projection's version, rows, lag in events, and how far it is in each shard of each log."""
    if dsn and not service:
        raise LocalStackError("--dsn names one service's database: name the service with --service too")
    shards = StateFolder(state).shards(os.environ.get("PIPEROLL_SHARDS", ""))
    for name in (service,) if service else SERVICES:
        database, origin = _place_of(name, state, dsn, bootstrap)
        kafka = bootstrap or (_bootstrap(state) if name == "gateway" else "")
        for line in _lines(name, database, origin, kafka, shards):
            typer.echo(line)


@app.command()
def rebuild(
    name: Name,
    processes: Annotated[int, typer.Option(min=1, help="How many fold at the same time; of the gateway's one.")] = 2,
    state: State = DEFAULT_STATE,
    dsn: Dsn = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Fold a projection from its first fact beside the live one, and swap it in."""
    from shared.eventlog import swap

    service, projection = _find(name)
    database, origin = _place_of(service, state, dsn, bootstrap)
    reached = swap.rebuild(database, projection, origin, 1 if service == "gateway" else processes)
    typer.echo(f"{name} is rebuilt in version {projection.version}: {_places(reached)}")


@app.command()
def compare(name: Name, state: State = DEFAULT_STATE, dsn: Dsn = None, bootstrap: Bootstrap = None) -> None:
    """Fold a projection up to where the live one stands and compare all rows; exit code 1 where they differ."""
    from shared.eventlog import rebuild as proof

    service, projection = _find(name)
    database, origin = _place_of(service, state, dsn, bootstrap)
    found = proof.compare(database, projection, origin)
    typer.echo(f"{name} at {_places(found.positions)}")
    typer.echo(f"  live    {found.live}  version {found.version}")
    typer.echo(f"  folded  {found.folded}  version {projection.version}")
    if found.live != found.folded:
        raise LocalStackError(f"{name} is not what its facts make: `piperoll admin projections rebuild {name}`")


def _lines(service: str, database: str, origin: "Origin", bootstrap: str, shards: int) -> Iterator[str]:
    import psycopg
    from psycopg import sql

    from shared.eventlog.projections import as_of_one_moment

    with psycopg.connect(database, application_name="piperoll-admin") as connection, connection.cursor() as cursor:
        ends = _published(bootstrap, shards) if service == "gateway" else origin.ends(cursor)
        connection.rollback()
        for one in _projections(service):
            as_of_one_moment(cursor, one)
            version, positions = origin.live(cursor, one.name)
            counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(table)) for table in one.tables]
            row = cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(" + ").join(counts))).fetchone()
            connection.rollback()
            lag = sum(max(0, end - positions.get(chain, 0)) for chain, end in ends.items())
            waits = "" if version == one.version else f" (version {one.version} waits for its rebuild)"
            rows = row[0] if row else 0
            yield f"{one.name}  version {version}{waits}  {rows} rows  lag {lag}  {_places(positions)}"


def _published(bootstrap: str, shards: int) -> "Positions":
    """Return the last position of each chain on the topics."""
    from services.gateway.projections.topics import TOPIC_OF
    from shared.kafka.tails import KafkaTails

    async def ask() -> "Positions":
        found: Positions = {}
        for source, topic in TOPIC_OF.items():
            tails = await KafkaTails(bootstrap).last_positions(source, [topic], range(shards))
            found |= {(source, shard): position for (_, shard), position in tails.items()}
        return found

    return asyncio.run(ask())


def _places(positions: "Mapping[tuple[str, int], int]") -> str:
    named = [f"{source}.{shard}.{position}" for (source, shard), position in sorted(positions.items()) if position]
    return ",".join(named) or "nothing folded yet"


def _projections(service: str) -> "Sequence[Projection]":
    if service == "ledger":
        from services.ledger.projections import PROJECTIONS as OF_LEDGER

        return OF_LEDGER
    if service == "gateway":
        from services.gateway.projections import PROJECTIONS as OF_GATEWAY

        return OF_GATEWAY
    from services.notifier.projections.open_notice import OpenNoticeIndex

    return (OpenNoticeIndex(),)


def _find(name: str) -> "tuple[str, Projection]":
    service = name.partition(".")[0]
    if service in SERVICES:
        for one in _projections(service):
            if one.name == name:
                return service, one
    known: list[Any] = [one.name for service in SERVICES for one in _projections(service)]
    raise LocalStackError(f"{name} is no projection: one of {', '.join(known)}")


def _place_of(service: str, state: Path, dsn: str | None, bootstrap: str | None) -> "tuple[str, Origin]":
    from deploy.local.status import admin_dsn_of
    from services.gateway.projections.topics import Topics
    from shared.eventlog.own_log import OwnLog

    if service not in SERVICES:
        raise LocalStackError(f"{service} has no projections: one of {', '.join(SERVICES)}")
    database = dsn or admin_dsn_of(state, service)
    if service == "gateway":
        return database, Topics(database, bootstrap or _bootstrap(state))
    return database, OwnLog(database, service)


def _bootstrap(state: Path) -> str:
    from deploy.local.folder import StateFolder
    from deploy.local.status import addresses_of

    return addresses_of(StateFolder(state))["PIPEROLL_KAFKA_BOOTSTRAP"]
