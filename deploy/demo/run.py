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
from deploy.demo.plan import plan
from deploy.demo.play import Played, play
from deploy.demo.proofs import reconciled_day
from deploy.demo.report import Report, as_json, print_table
from deploy.local.stack import Stack
from shared.clock import StackClock

AT_REST_WITHIN_S = 180.0


def run(*, households: int = 50, seed: int = 1, json: bool = False, keep: Path | None = None) -> bool:
    """Play the demo on a stack of its own, print what came of it, and tell whether every check held."""
    told = Console(stderr=True)
    with ExitStack() as exits:
        folder = keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="piperoll-demo-")))
        told.print(f"starting a stack in {folder}")
        stack = exits.enter_context(Stack(folder))
        report = play_on(stack, households, seed, told.print)
    if json:
        print(as_json(report))
    else:
        print_table(report, Console())
    return report.held


def play_on(stack: Stack, households: int, seed: int, say: Callable[[str], None]) -> Report:
    """Play on a running stack, wait until it is at rest, let a day pass, and examine everything."""
    today = StackClock(stack.state.clock).now().date()
    due = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    planned = plan(households, seed, due.strftime("%Y-%m"), due.isoformat())
    began = time.monotonic()
    played = asyncio.run(play(stack.gateway_url, stack.issuer, planned, seed))
    say(f"{households} households played in {time.monotonic() - began:.1f} s")
    _wait_for_rest(stack, {household.email for household in planned}, played)
    return examine(stack, planned, seed, played, [reconciled_day(stack)])


def _wait_for_rest(stack: Stack, addresses: set[str], played: list[Played]) -> None:
    """Return when every payment's mail has arrived, or when nothing more can be hoped for."""
    deadline = time.monotonic() + AT_REST_WITHIN_S
    while time.monotonic() < deadline:
        arrived = sum(mail["to"] in addresses for mail in mails(stack.mail_url))
        if arrived >= len(played) or parked(stack):
            return
        time.sleep(0.2)
