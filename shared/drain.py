"""The bound of a stop: what is not drained by then is left as it stands, because all of it is safe to run again."""

import os
import sys
import threading

from shared.telemetry.logs import logger

log = logger(__name__)

WITHIN_S = 9.5


def end_within(seconds: float = WITHIN_S) -> None:
    """End this process with 1 in `seconds`, whatever it then waits for: a thread, so that nothing can hold it up."""
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    log.error("not_drained", within_s=seconds)
    sys.stdout.flush()
    os._exit(1)
