"""When the stack is at rest: everything read, decided, sent; what is open only waits for a time or a person."""

import asyncio
import re
import time
import urllib.request

from deploy.demo.processor import Processor
from deploy.local import status
from deploy.local.stack import Stack
from deploy.local.status import ProcessStatus

AT_REST_WITHIN_S = 180.0
LOOK_EVERY_S = 0.2
_IN_FLIGHT = re.compile(r"^piperoll_effects_in_flight\{[^}]*\} (\S+)", re.MULTILINE)


class Restless(Exception):
    """The stack did not come to rest; says what was under way."""


async def at_rest(stack: Stack, processor: Processor | None) -> None:
    """Return when two looks in a row find nothing under way and no log longer than before.

    Without a processor, which is away, calls to it stay under way.
    """
    deadline = time.monotonic() + AT_REST_WITHIN_S
    before: dict[str, int | None] = {}
    while True:
        found = await asyncio.to_thread(status.read, stack.state)
        busy = [one.name for one in found.processes if _is_busy(one)]
        positions = {one.name: one.position for one in found.processes}
        if processor is not None and await asyncio.to_thread(_calls_under_way, stack):
            busy.append("billing's calls")
        if processor is not None and await processor.waiting_webhooks():
            busy.append("webhooks")
        if not busy and positions == before:
            return
        if time.monotonic() > deadline:
            raise Restless(f"not at rest within {AT_REST_WITHIN_S:.0f} s: {', '.join(busy) or 'logs grow'}")
        before = positions
        await asyncio.sleep(LOOK_EVERY_S)


def _is_busy(process: ProcessStatus) -> bool:
    return process.state not in ("ready", "stopped") or bool(process.lag)


def _calls_under_way(stack: Stack) -> bool:
    """Tell whether billing has calls open; one that does not answer may have."""
    url = f"http://127.0.0.1:{stack.ports['billing']}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return any(float(value) for value in _IN_FLIGHT.findall(answer.read().decode()))
    except OSError:
        return True
