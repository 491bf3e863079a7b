"""Plays the month: moves the stack's clock from moment to moment, at rest, and has everybody act."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from deploy.demo import acts
from deploy.demo.bookkeeper import Bookkeeper
from deploy.demo.moments import DAY_10, DAY_13, MOMENTS, Moment, last_moment_of_day
from deploy.demo.player import Player
from deploy.demo.rest import at_rest
from deploy.demo.scene import Scene
from deploy.demo.treasury import Treasury
from deploy.local.stack import Stack
from deploy.local.stack_clock import advance, read_s, stack_time

AT_ONCE = 16
SEEN_BY_ALL_AFTER_S = 0.25
Say = Callable[[str], None]


class Played(Struct, frozen=True):
    """What is left to be examined when the month is over."""

    scene: Scene
    treasury: Treasury
    bookkeeper: Bookkeeper
    players: tuple[Player, ...]


async def play(stack: Stack, scene: Scene, households: Sequence[acts.Household], say: Say) -> Played:
    """Play all moments; the last day is over and reported when this returns."""
    players = tuple(Player(scene, household) for household in households)
    scene.players = {player.number: player for player in players}
    _write_cheques(scene, players)
    treasury, bookkeeper = Treasury(scene), Bookkeeper(scene)
    await scene.processor.set_up()
    await _move_to(stack, scene, MOMENTS[0])
    await _all(player.open() for player in players)
    for index, moment in enumerate(MOMENTS):
        began = time.monotonic()
        if index:
            await _move_to(stack, scene, moment)
            await _begin(stack, scene, treasury, index)
        await _all([bookkeeper.play(index), *(player.play(index) for player in players)])
        if moment.processor == "is away":
            await _processor_returns(stack, scene)
        await at_rest(stack, None if moment.processor == "leaves" else scene.processor)
        if last_moment_of_day(index):
            await treasury.end_day(index)
            await at_rest(stack, scene.processor)
        say(f"day {moment.day}, {moment.hour}:00: {time.monotonic() - began:.1f} s")
    await _move_to(stack, scene, Moment(MOMENTS[-1].day + 1))
    await treasury.begin_day(scene.day(MOMENTS[-1].day), scene.day(MOMENTS[-1].day))
    await at_rest(stack, scene.processor)
    return Played(scene, treasury, bookkeeper, players)


async def _begin(stack: Stack, scene: Scene, treasury: Treasury, index: int) -> None:
    """Do what a moment begins with: the days before are reported and explained; the processor goes, or hides things."""
    before, moment = MOMENTS[index - 1], MOMENTS[index]
    if moment.day != before.day:
        await treasury.begin_day(scene.day(moment.day - 1), scene.day(before.day))
    if moment.processor == "leaves":
        await asyncio.to_thread(stack.stop_process, "card")
    if index == DAY_10:
        await scene.processor.hide_events()
    if index == DAY_13:
        await scene.processor.behave()


async def _processor_returns(stack: Stack, scene: Scene) -> None:
    await asyncio.to_thread(stack.start_process, "card")
    await asyncio.to_thread(stack.wait_ready)
    await scene.processor.behave()


def _write_cheques(scene: Scene, players: Sequence[Player]) -> None:
    """Tell the bank of all cheques that it will see: it may see one before anybody here knows whose it is."""
    for player in players:
        for act in player.household.acts:
            if isinstance(act, acts.Cheque):
                scene.bank.cheque(act, player.cheque(act.name))


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Do all, at most 16 at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(work: Awaitable[None]) -> None:
        async with room:
            await work

    await asyncio.gather(*(one(work) for work in works))


async def _move_to(stack: Stack, scene: Scene, moment: Moment) -> None:
    """Move the stack's clock and wait until every process has looked at it: they do so every 50 ms."""
    ahead = scene.calendar.instant(moment) - stack_time(read_s(stack.state))
    advance(stack.state, max(0, int(ahead.total_seconds())))
    await asyncio.sleep(SEEN_BY_ALL_AFTER_S)
