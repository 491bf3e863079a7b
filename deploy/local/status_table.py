"""A stack's status as a table for people."""

from __future__ import annotations

from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table

from deploy.local.status import ProcessStatus, StackStatus

_COLOURS = {"ready": "green", "not ready": "yellow", "stopped": "yellow", "down": "red"}


def show(stack: StackStatus) -> None:
    """Print the table, or that nothing runs."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    if not stack.running:
        console.print(
            f"no stack runs in {stack.state}: start one with `piperoll up --state {stack.state}`", markup=False
        )
        return
    console.print(f"{stack.state}: {'all well' if stack.is_well else 'NOT WELL'}", markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in ("process", "state", "pid", "port", "up since", "restarts", "position", "lag"):
        words = heading in ("process", "state", "up since")
        table.add_column(heading, no_wrap=True, justify="left" if words else "right")
    for process in stack.processes:
        table.add_row(*_cells(process))
    console.print(table)
    for process in stack.processes:
        failing = [name for name, held in process.checks.items() if not held]
        if failing:
            console.print(f"  {process.name}: not yet {', '.join(failing)}", markup=False)


def _cells(process: ProcessStatus) -> list[str]:
    colour = _COLOURS.get(process.state, "white")
    numbers = (process.pid, process.port, process.restarts, process.position, process.lag)
    pid, port, restarts, position, lag = ("" if number is None else str(number) for number in numbers)
    since = _time_of(process.up_since) if process.up_since else ""
    return [process.name, f"[{colour}]{process.state}[/]", pid, port, since, restarts, position, lag]


def _time_of(moment: str) -> str:
    """Return the local time of day, with the day instead of the seconds once it is another one."""
    then = datetime.fromisoformat(moment).astimezone()
    is_today = then.date() == datetime.now(then.tzinfo).date()
    return then.strftime("%H:%M:%S" if is_today else "%d %b %H:%M")
