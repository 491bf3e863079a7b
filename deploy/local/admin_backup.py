"""`piperoll admin backup` and `piperoll admin restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.local.options import DEFAULT_STATE, State


def mount(admin: typer.Typer) -> None:
    """Add `backup` and `restore` to the operator's commands."""
    admin.command()(backup)
    admin.command()(restore)


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, best on another disk.")],
    people: Annotated[
        bool, typer.Option("--people", help="Only take the people database of an existing backup anew.")
    ] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Back up the running stack into DIR and archive there, from now on, all that is written."""
    from deploy.local import backup as backups
    from deploy.local.folder import StateFolder

    if people:
        backups.take_people(StateFolder(state), folder)
        typer.echo(f"{folder} holds the people database as it is now")
        return
    taken = backups.take(StateFolder(state), folder, typer.echo)
    typer.echo(
        f"{folder} is whole and verified: {taken.books_bytes / 1e6:.0f} MB in {taken.seconds:.1f} s; what is written "
        "from now on is archived beside it"
    )


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `piperoll admin backup` made.")],
    replace: Annotated[bool, typer.Option("--replace", help="Move the data that is there aside.")] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Bring the books of a stopped stack back, up to the last WAL that was archived."""
    from deploy.local import restore as restores
    from deploy.local.folder import StateFolder

    done = restores.restore(StateFolder(state), folder, replace=replace, say=typer.echo)
    if done.moved_aside is not None:
        typer.echo(f"the old data lies in {done.moved_aside}")
    typer.echo("the people database was restored too" if done.people_loaded else "the people database is as it was")
    for service, shards in done.behind.items():
        for shard in shards:
            command = f"piperoll admin adopt-tail {service} {shard} --state {state}"
            typer.echo(f"still behind its topics (docs/runbooks/rolled-back-store.md): `{command}`")
    typer.echo(f"restored in {done.seconds:.1f} s; once the stack runs, take a new backup: nothing is archived before")
