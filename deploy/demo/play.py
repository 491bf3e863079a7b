"""Runs the demo: on a stack of its own and gone afterwards, kept in a folder, or on one that is up."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
from msgspec import Struct
from rich.console import Console

from deploy.demo import closing, month
from deploy.demo.acts import Household
from deploy.demo.books import Books, balance_minor, charges, events_by_service, mails, parked, read_books
from deploy.demo.letters import letters_as_expected, ours
from deploy.demo.model import Model
from deploy.demo.moments import MOMENTS, calendar_from
from deploy.demo.month import Played
from deploy.demo.outcomes import Outcomes, read_outcomes
from deploy.demo.proofs import projections_equal, verified_shards
from deploy.demo.report import Check, Report, percentiles, print_json, print_table
from deploy.demo.rest import at_rest
from deploy.demo.rota import plan
from deploy.demo.scene import Scene
from deploy.local.files import write_atomically
from deploy.local.stack import Stack
from deploy.local.stack_clock import read_s, stack_time

MAILS_WITHIN_S = 60.0


class Closed(Struct, frozen=True):
    """What was read when the month was over, before the logs are examined."""

    played: Played
    outcomes: Outcomes
    books: Books
    unexplained_minor: int
    checks: tuple[Check, ...]


def run(
    *,
    households: int = 200,
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
    """Play the month on a running stack and hold it against everything that is kept of it."""
    planned = plan(households, seed)
    model = Model(planned)
    began = time.monotonic()
    closed = asyncio.run(_month(stack, planned, model, seed, say))
    say(f"{households} households played in {time.monotonic() - began:.0f} s; examining logs and projections")
    return _report(stack, planned, model, seed, closed)


async def _month(
    stack: Stack, planned: Sequence[Household], model: Model, seed: int, say: Callable[[str], None]
) -> Closed:
    connector = aiohttp.TCPConnector(limit=2 * month.AT_ONCE)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), connector=connector) as session:
        calendar = calendar_from(stack_time(read_s(stack.state)))
        scene = Scene(session, stack.gateway_url, stack.issuer, stack.card_url, calendar, seed)
        return await _close(stack, planned, model, await month.play(stack, scene, planned, say))


async def _close(stack: Stack, planned: Sequence[Household], model: Model, played: Played) -> Closed:
    """Read what must agree, then hand in the statement with the payout that is still under way."""
    scene, treasury = played.scene, played.treasury
    day = scene.day(MOMENTS[-1].day)
    figures = await treasury.figures(day, day)
    unresolved = [*await treasury.exceptions("open"), *await treasury.exceptions("explained")]
    outcomes = await read_outcomes(scene, played.players, model)
    books = await asyncio.to_thread(read_books, stack.dsn("ledger"), stack.shards)
    held_minor = await asyncio.to_thread(balance_minor, stack.card_url, stack.state.secret("card-api.key"))
    checks = (
        *closing.checks_of_stories(played.players, outcomes),
        *closing.checks_of_books(books, held_minor, treasury.under_way_minor, scene.bank),
        played.bookkeeper.check(books),
        closing.day_reconciled(figures),
        closing.exceptions_as_planned(planned, treasury.kinds, treasury.had_late_payout, unresolved),
    )
    await treasury.hand_in(len(MOMENTS))
    await at_rest(stack, scene.processor)
    return Closed(played, outcomes, books, sum(one["unexplained_minor"] for one in figures.values()), checks)


def _report(stack: Stack, planned: Sequence[Household], model: Model, seed: int, closed: Closed) -> Report:
    played, books = closed.played, closed.books
    arrived = _wait_for_mails(stack, planned, model)
    waiting = parked(stack)
    shards, broken = verified_shards(stack)
    unequal = projections_equal(stack)
    checks = (
        *closed.checks,
        closing.charges_as_planned(played.players, model, charges(stack.card_url)),
        letters_as_expected(planned, model, arrived),
        Check("nothing_parked", waiting == 0, f"{waiting} parked"),
        Check("logs_verified", not broken, "; ".join(broken) or f"{len(shards)} shards"),
        Check("projections_equal_rebuilt", not unequal, ", ".join(unequal) or "all equal"),
    )
    return Report(
        households=len(planned),
        seed=seed,
        events=events_by_service(stack),
        entries=books.entries,
        parked=waiting,
        payments=dict(sorted(closed.outcomes.payments.items())),
        duplicates=dict(closed.outcomes.duplicates),
        exceptions=dict(sorted(Counter(played.treasury.kinds.values()).items())),
        mails=len(ours(planned, arrived)),
        trial_balance_minor=books.trial_balance_minor,
        unexplained_minor=closed.unexplained_minor,
        shards=shards,
        log_verified=not broken,
        projections_equal=not unequal,
        latency_ms=percentiles([ms for player in played.players for ms in player.latencies_ms]),
        household_digests=tuple(books.digest_of(player.account_id) for player in played.players),
        checks=checks,
        held=all(check.held for check in checks),
    )


def _played_before(stack: Stack) -> int:
    """Return how many demos this state folder has seen, and count this one."""
    count = stack.state.path / "demos"
    seen = int(count.read_text(encoding="utf-8")) if count.exists() else 0
    write_atomically(count, f"{seen + 1}\n")
    return seen


def _wait_for_mails(stack: Stack, planned: Sequence[Household], model: Model) -> list[dict[str, object]]:
    """Return the mails when as many arrived as were expected, or when nothing more can be hoped for."""
    expected = sum(member.letters.total() for member in model.members.values())
    deadline = time.monotonic() + MAILS_WITHIN_S
    while True:
        arrived = mails(stack.mail_url)
        if len(ours(planned, arrived)) >= expected or parked(stack) or time.monotonic() > deadline:
            return arrived
        time.sleep(0.2)
