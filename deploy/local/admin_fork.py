"""`piperoll admin fork`: chains that stand still because two records claim one place.

Looking reads the databases; skip is an order that the shard's owner finds within a second.
"""

import getpass
import time
from pathlib import Path

import typer

from deploy.local.admin_parked import SERVICES, WAIT_S, Dsn, Service, database, run
from deploy.local.errors import LocalStackError
from deploy.local.options import DEFAULT_STATE, State

app = typer.Typer(help="Chains on which two records claim one place.", no_args_is_help=True, rich_markup_mode=None)
SQL = Path(__file__).with_suffix(".sql")


def mount(admin: typer.Typer) -> None:
    """Add `fork` to the operator's commands."""
    admin.add_typer(app, name="fork")


@app.command()
def show(
    service: str = typer.Argument("", help="Only this service's."),
    ended: bool = typer.Option(False, "--all", help="Those that were let go too."),
    state: State = DEFAULT_STATE,
    dsn: Dsn = None,
) -> None:
    """Print each fork: the chain, the record that does not fit, and where the chain stands."""
    if dsn and not service:
        raise LocalStackError("--dsn names one service's database: name the service too")
    count = 0
    for name in (service,) if service else SERVICES:
        for row in run(database(state, dsn, name), "list", {"all": ended}, SQL):
            shard, topic, source, position, previous, cursor, hashed, seen, ordered_by, until = row
            standing = "let go" if until else (f"skip is ordered by {ordered_by}" if ordered_by else "stands still")
            typer.echo(
                f"{name} {shard}/{topic}/{source}  position {position} behind {previous} does not fit the cursor at "
                f"{cursor} {bytes(hashed).hex()[:16]}  {seen:%Y-%m-%d %H:%M:%S} UTC  {standing}"
            )
            count += 1
    if not count:
        typer.echo("no chain stands still by a fork")


@app.command()
def skip(
    service: Service,
    chain: str = typer.Argument(help="Which chain, as `show` prints it: SHARD/TOPIC/SOURCE."),
    state: State = DEFAULT_STATE,
    dsn: Dsn = None,
) -> None:
    """Leave the record that does not fit out; the chain goes on with the one that names its cursor."""
    where = database(state, dsn, service)
    ordered = run(where, "skip", {**_chain(chain), "ordered_by": getpass.getuser()}, SQL)
    if not ordered:
        raise LocalStackError(f"{service} has no fork on {chain}: `piperoll admin fork show` names them")
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if run(where, "ended", {"id": ordered[0][0]}, SQL)[0][0]:
            typer.echo(f"let go: {service} {chain}")
            return
        time.sleep(0.2)
    raise LocalStackError(f"the order stands, but the shard's owner has not done it in {WAIT_S:.0f} s")


def _chain(text: str) -> dict[str, object]:
    try:
        shard, topic, source = text.split("/")
        return {"shard": int(shard), "topic": topic, "source_shard": int(source)}
    except ValueError:
        raise LocalStackError(f"{text} is no chain: write SHARD/TOPIC/SOURCE, as `show` prints it") from None
