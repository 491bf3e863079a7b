"""`piperoll up`: a stack in the foreground, until Ctrl-C."""

from __future__ import annotations

import importlib
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from deploy.local.stack import Stack

DEMO_HOUSEHOLDS, DEMO_SEED = 53, 1
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(state: Path, *, demo: bool, services: bool) -> None:
    """Start the stack, say where to look, play the demo if asked, and stop everything on Ctrl-C or SIGTERM."""
    console = Console(highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(f"  {line}", markup=False)

    for number in _STOPPING:
        signal.signal(number, _interrupt)
    stack = Stack(state, services=services, say=say)
    began = time.monotonic()
    try:
        console.print(f"starting the stack in {stack.state} ...")
        with stack:
            console.print(f"everything is ready after {time.monotonic() - began:.1f} s")
            console.print(_where_to_look(stack), markup=False)
            if demo:
                _play(stack)
            console.print("running; Ctrl-C (or `piperoll down`) stops it")
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running, the state is kept")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Stop once: what is asked for while it is stopping already is not heard."""
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _play(stack: Stack) -> None:
    play = importlib.import_module("deploy.demo.play")
    play.run(households=DEMO_HOUSEHOLDS, seed=DEMO_SEED, as_json=False, keep=None, stack=stack)


def _where_to_look(stack: Stack) -> str:
    ports, at = stack.ports, f"--state {stack.state}"
    places = {
        "gateway": f"{stack.gateway_url}  (API: {stack.gateway_url}/openapi.json)" if "gateway-http" in ports else "",
        "a token": f"piperoll token member --account ACCOUNT_ID {at}" if "identity" in ports else "",
        "mails": f"{stack.mail_url}/mails" if "mail" in ports else "",
        "card processor": f"{stack.card_url}/_sim/charges" if "card" in ports else "",
        "identity": stack.issuer,
        "Kafka": stack.bootstrap,
        "PostgreSQL": stack.admin_dsn if "postgres" in stack.processes else "the one PIPEROLL_POSTGRES_DSN names",
        "logs": f"{stack.state.logs}",
        "": f"piperoll logs NAME --follow {at}",
        "health": f"piperoll status {at}",
    }
    return "\n".join(f"  {name:<15} {place}" for name, place in places.items() if place)
