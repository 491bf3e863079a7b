"""The `piperoll` command. Every command imports what it needs when it runs, so that `--help` is quick."""

import signal
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated

import typer

from deploy.local.options import DEFAULT_STATE, State

app = typer.Typer(
    name="piperoll",
    help="Piperoll, an event-sourced payment ledger: its local stack and its demo.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
clock_app = typer.Typer(
    help="The stack's own time, ahead of the machine's.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(clock_app, name="clock")


@app.command()
def up(
    state: State = DEFAULT_STATE,
    demo: Annotated[bool, typer.Option("--demo", help="Play the demo once everything is ready.")] = False,
    services: Annotated[bool, typer.Option(help="Start the services too, not only what they stand on.")] = True,
) -> None:
    """Start the whole stack here and keep it running until Ctrl-C."""
    import_module("deploy.local.up").run(state, demo=demo, services=services)


@app.command()
def down(state: State = DEFAULT_STATE) -> None:
    """Stop the stack of a state folder."""
    from deploy.local.down import stop
    from deploy.local.folder import StateFolder

    folder = StateFolder(state)
    typer.echo(f"stopped the stack in {folder}" if stop(folder) else f"nothing was running in {folder}")


@app.command()
def status(
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show each process; exit code 1 if any is unwell or nothing runs."""
    from deploy.local.folder import StateFolder
    from deploy.local.status import read

    found = read(StateFolder(state))
    if as_json:
        typer.echo(found.as_json())
    else:
        import_module("deploy.local.status_table").show(found)
    raise typer.Exit(0 if found.is_well else 1)


@app.command()
def demo(
    households: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many households.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed plays the same demo.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Play in DIR and leave the state there.")] = None,
) -> None:
    """Play the demo on a stack of its own, check everything, and stop; exit code 0 only if every check held."""
    held = import_module("deploy.demo.play").run(households=households, seed=seed, as_json=as_json, keep=keep)
    raise typer.Exit(0 if held else 1)


@app.command()
def token(
    role: Annotated[str, typer.Argument(help="member, assister, support, finance, auditor or operator")],
    account: Annotated[list[str] | None, typer.Option(metavar="ID", help="An account; may be repeated.")] = None,
    subject: Annotated[str, typer.Option(metavar="NAME", help="Who it is; else the first account or the role.")] = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Print a bearer token of the running stack, valid for one hour."""
    from deploy.local.folder import StateFolder
    from deploy.local.identity import token as ask
    from deploy.local.status import issuer_of

    typer.echo(ask(issuer_of(StateFolder(state)), role, account or [], subject=subject))


@app.command()
def env(state: State = DEFAULT_STATE) -> None:
    """Print where the running stack is, as shell variables: `eval "$(piperoll env)"`."""
    from deploy.local.folder import StateFolder
    from deploy.local.status import addresses_of

    for name, address in addresses_of(StateFolder(state)).items():
        typer.echo(f"export {name}={address}")


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="A process, as `piperoll status` names it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 200,
    state: State = DEFAULT_STATE,
) -> None:
    """Print what one process said."""
    from deploy.local import logs as reader
    from deploy.local.folder import StateFolder

    log = reader.find(StateFolder(state), service)
    for line in reader.last_lines(log, lines):
        typer.echo(line)
    if follow:
        for line in reader.follow(log):
            typer.echo(line)


@clock_app.command()
def advance(
    span: Annotated[str, typer.Argument(help="How far, as in 90s, 15m, 12h, 3d or 1d12h.")],
    state: State = DEFAULT_STATE,
) -> None:
    """Move the stack's time on; it never goes back."""
    from deploy.local import stack_clock
    from deploy.local.folder import StateFolder

    folder = StateFolder(state)
    ahead_s = stack_clock.advance(folder, stack_clock.span_s(span))
    typer.echo(f"the stack in {folder} is {ahead_s} s ahead: {stack_clock.stack_time(ahead_s):%Y-%m-%d %H:%M:%S} UTC")


@clock_app.command()
def show(state: State = DEFAULT_STATE) -> None:
    """Print the stack's time and how far it is ahead."""
    from deploy.local import stack_clock
    from deploy.local.folder import StateFolder

    ahead_s = stack_clock.read_s(StateFolder(state))
    typer.echo(f"{stack_clock.stack_time(ahead_s):%Y-%m-%d %H:%M:%S} UTC, {ahead_s} s ahead of the machine")


def _mount_admin(arguments: list[str]) -> None:
    """Add the operator's commands: every module `deploy/local/admin_*.py` adds its own by `mount(admin)`.

    They are imported when one of them is called.
    """
    admin_app = typer.Typer(help="An operator's commands.", no_args_is_help=True, rich_markup_mode=None)
    if "admin" in arguments:
        for module in sorted(one.name for one in iter_modules(import_module("deploy.local").__path__)):
            if module.startswith("admin_"):
                import_module(f"deploy.local.{module}").mount(admin_app)
    app.add_typer(admin_app, name="admin")


def main() -> None:
    """Run the command; what goes wrong is one sentence on standard error and exit code 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _mount_admin(sys.argv[1:])
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        import os

        if os.environ.get("PIPEROLL_TRACEBACK"):
            raise
        from shared.errors import PiperollError

        known = isinstance(error, PiperollError)
        hint = "" if known else " (unexpected; PIPEROLL_TRACEBACK=1 shows where)"
        print(f"piperoll: {error if known else f'{type(error).__name__}: {error}'}{hint}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
