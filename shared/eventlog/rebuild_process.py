"""Rebuilds beside a running worker: each in a process of its own, so that no payment waits for it."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from shared.eventlog.origin import Origin
from shared.eventlog.projections import Projection
from shared.eventlog.swap import RebuildUnderWay, rebuild
from shared.telemetry.logs import configure, logger

log = logger(__name__)

AGAIN_FIRST_S = 5.0
AGAIN_MOST_S = 300.0
NICENESS = 10


@dataclass
class _Child:
    process: BaseProcess
    pause_s: float
    again_at: float


class Rebuilds:
    """The rebuilds that this process has begun, one per database and projection; they end with it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._children: dict[tuple[str, str], _Child] = {}

    def begin(self, dsn: str, service: str, projection: Projection, origin: Origin) -> None:
        """Begin a rebuild, unless it runs here or began here a short while ago, longer each time. Returns at once."""
        key = (dsn, projection.name)
        former = self._children.get(key)
        if former is not None and (former.process.is_alive() or self._now() < former.again_at):
            return
        process = get_context("spawn").Process(
            target=_run, args=(dsn, service, projection, origin), daemon=True, name=f"rebuild of {projection.name}"
        )
        process.start()
        pause_s = AGAIN_FIRST_S if former is None else min(AGAIN_MOST_S, 2 * former.pause_s)
        self._children[key] = _Child(process, pause_s, self._now() + pause_s)
        log.info("projection_rebuild_begins", projection=projection.name, version=projection.version, pid=process.pid)


def _run(dsn: str, service: str, projection: Projection, origin: Origin) -> None:
    configure(service, "rebuild", "INFO")
    os.nice(NICENESS)
    try:
        rebuild(dsn, projection, origin)
    except RebuildUnderWay as error:
        log.info("projection_rebuild_elsewhere", projection=projection.name, cause=str(error))
    except Exception as error:
        log.error("projection_not_rebuilt", projection=projection.name, error=repr(error), exc_info=error)
        raise SystemExit(1) from error
