"""`piperoll admin parked`: records that wait for a person. Looking reads the databases; release and drop are orders.

An order is a row that the shard's owner finds within a second and does in a transaction of its own; nothing here
touches a log.
"""

import getpass
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.local.errors import LocalStackError
from deploy.local.options import DEFAULT_STATE, State

app = typer.Typer(help="Records that wait for a person.", no_args_is_help=True, rich_markup_mode=None)

SERVICES = ("gateway", "billing", "ledger", "notifier")
WAIT_S = 15.0
_SQL = Path(__file__).with_suffix(".sql")

Dsn = Annotated[str | None, typer.Option("--dsn", help="DSN of that service's database, as an operator who may order.")]
Service = Annotated[str, typer.Argument(help="Whose shard parked it: gateway, billing, ledger, notifier.")]
Place = Annotated[str, typer.Argument(help="Which record, as `list` prints it: SHARD/TOPIC/SOURCE/POSITION.")]


def mount(admin: typer.Typer) -> None:
    """Add `parked` to the operator's commands."""
    admin.add_typer(app, name="parked")


@app.command("list")
def list_parked(
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    ended: Annotated[bool, typer.Option("--all", help="Released and dropped ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each service.")] = 200,
    state: State = DEFAULT_STATE,
    dsn: Dsn = None,
) -> None:
    """Print what waits, oldest first: its place, the key it holds, why, since when."""
    count = 0
    if dsn and not service:
        raise LocalStackError("--dsn names one service's database: name the service with --service too")
    for name in (service,) if service else SERVICES:
        for row in run(database(state, dsn, name), "list", {"all": ended, "limit": limit}):
            shard, topic, source, position, key, cause, kind, since, how, ordered = row
            standing = how or (f"{ordered} is ordered" if ordered else "waits")
            typer.echo(
                f"{name} {shard}/{topic}/{source}/{position}  {cause}  {kind or '-'}  key {key or '-'}  "
                f"{since:%Y-%m-%d %H:%M:%S} UTC  {standing}"
            )
            count += 1
    if not count:
        typer.echo("nothing is parked")


@app.command()
def show(service: Service, place: Place, state: State = DEFAULT_STATE, dsn: Dsn = None) -> None:
    """Print one parked record with its bytes."""
    rows = run(database(state, dsn, service), "show", _place(place))
    if not rows:
        raise LocalStackError(f"{service} has parked no record {place}: `piperoll admin parked list` names them")
    key, cause, kind, trace, since, how, until, data = rows[0]
    for name, value in (
        ("key", key), ("cause", cause), ("type", kind), ("trace", trace), ("parked", since), ("ended", how),
        ("at", until), ("bytes", len(data)),
    ):  # fmt: skip
        if value not in (None, ""):
            typer.echo(f"{name:>7}  {value}")
    typer.echo(bytes(data).decode("utf-8", "backslashreplace"))


@app.command()
def release(service: Service, place: Place, state: State = DEFAULT_STATE, dsn: Dsn = None) -> None:
    """Have the record decided after all, and those of its key that wait behind it."""
    _order(service, place, "released", database(state, dsn, service))


@app.command()
def drop(service: Service, place: Place, state: State = DEFAULT_STATE, dsn: Dsn = None) -> None:
    """Leave the record out for good; those of its key that wait behind it go on."""
    _order(service, place, "dropped", database(state, dsn, service))


def _order(service: str, place: str, how: str, where: str) -> None:
    parameters = {**_place(place), "how": how, "ordered_by": getpass.getuser()}
    rows = run(where, "order", parameters)
    if not rows:
        raise LocalStackError(f"{service} has no waiting record {place}: `piperoll admin parked list` names them")
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if run(where, "done", {"id": rows[0][0]})[0][0]:
            if run(where, "show", _place(place))[0][5] != how:
                raise LocalStackError(
                    f"{service} {place} still waits: it was refused once more, or an earlier record of its key "
                    "waits before it; the service's log says which"
                )
            typer.echo(f"{how}: {service} {place}")
            return
        time.sleep(0.2)
    raise LocalStackError(
        f"the order stands ({how}: {service} {place}), but the shard's owner has not done it in {WAIT_S:.0f} s: "
        "it is done when the service runs"
    )


def order_release_of_adopted(where: str, shard: int) -> int:
    """Order that records which an adoption put on the shelf are decided; return how many."""
    return len(run(where, "release_adopted", {"shard": shard, "ordered_by": getpass.getuser()}))


def _place(text: str) -> dict[str, Any]:
    parts = text.split("/")
    try:
        shard, topic, source, position = parts
        return {"shard": int(shard), "topic": topic, "source_shard": int(source), "position": int(position)}
    except ValueError:
        raise LocalStackError(f"{text} is no place: write SHARD/TOPIC/SOURCE/POSITION, as `list` prints it") from None


def database(state: Path, dsn: str | None, service: str) -> str:
    """Return where the service keeps its log, with an operator's rights."""
    if service not in SERVICES:
        raise LocalStackError(f"{service} has no log: one of {', '.join(SERVICES)}")
    if dsn:
        return dsn
    from deploy.local.status import admin_dsn_of

    return admin_dsn_of(state, service)


def run(where: str, name: str, parameters: dict[str, Any], file: Path = _SQL) -> list[tuple[Any, ...]]:
    """Run a named statement as an operator."""
    import psycopg

    from shared.postgres.queries import queries

    statement = queries(file)[name].encode()
    try:
        with psycopg.connect(where, autocommit=True, application_name="piperoll-admin") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(statement, parameters).fetchall()
    except psycopg.OperationalError as error:
        raise LocalStackError(f"the database does not answer: {str(error).strip()}") from error
