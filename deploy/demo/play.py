"""Runs the demo: on a stack of its own and gone afterwards, kept in a folder, or on one that is up."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from deploy.demo.books import mails, parked
from deploy.demo.checks import examine
from deploy.demo.members import play
from deploy.demo.plan import Household, plan
from deploy.demo.proofs import reconciled_day, stack_today
from deploy.demo.report import Report, print_json, print_table
from deploy.local.files import write_atomically
from deploy.local.stack import Stack

AT_REST_WITHIN_S = 180.0


def run(
    *,
    households: int = 50,
    seed: int = 1,
    as_json: bool = False,
    keep: Path | None = None,
    stack: Stack | None = None,
) -> bool:
    """Play the demo, print what came of it, and tell whether every check held.

    On a `stack` that is up each further demo takes the next seed, so that it adds households of its own.
    """
    told = Console(stderr=True, highlight=False)
    with ExitStack() as exits:
        if stack is None:
            folder = keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="piperoll-demo-")))
            told.print(f"starting a stack in {folder}")
            stack = exits.enter_context(Stack(folder))
        else:
            seed += _played_before(stack)
        report = play_on(stack, households, seed, told.print)
    if as_json:
        print_json(report)
    else:
        print_table(report, Console())
    return report.held


def play_on(stack: Stack, households: int, seed: int, say: Callable[[str], None]) -> Report:
    """Play on a running stack, wait until it is at rest, let its day end, and examine everything."""
    due = (stack_today(stack).date().replace(day=1) + timedelta(days=32)).replace(day=1)
    planned = plan(households, seed, due.strftime("%Y-%m"), due.isoformat())
    began = time.monotonic()
    played = asyncio.run(play(stack.gateway_url, stack.issuer, planned, seed))
    say(f"{households} households played in {time.monotonic() - began:.1f} s; waiting for the last mail")
    _wait_for_mails(stack, planned)
    say("at rest; the stack's day ends and is reconciled")
    reconciled = reconciled_day(stack)
    say("examining logs, books and projections")
    return examine(stack, planned, seed, played, [reconciled])


def _played_before(stack: Stack) -> int:
    """Return how many demos this state folder has seen, and count this one."""
    count = stack.state.path / "demos"
    seen = int(count.read_text(encoding="utf-8")) if count.exists() else 0
    write_atomically(count, f"{seen + 1}\n")
    return seen


def _wait_for_mails(stack: Stack, planned: list[Household]) -> None:
    """Return when every payment's mail has arrived, or when nothing more can be hoped for."""
    addresses = {household.email for household in planned}
    deadline = time.monotonic() + AT_REST_WITHIN_S
    while time.monotonic() < deadline and not parked(stack):
        if sum(mail["to"] in addresses for mail in mails(stack.mail_url)) >= len(planned):
            return
        time.sleep(0.2)
