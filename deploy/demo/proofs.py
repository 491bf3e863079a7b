"""What the demo proves from the logs alone: trees, and projections rebuilt out of them."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain

from psycopg.conninfo import make_conninfo

from deploy.demo.report import ShardRoot
from deploy.local.stack import Stack
from services.gateway.projections import PROJECTIONS as GATEWAY_PROJECTIONS
from services.ledger.projections import PROJECTIONS as LEDGER_PROJECTIONS
from shared.contracts.topics import SERVICES
from shared.eventlog.projections import Placed, Projection
from shared.eventlog.rebuild import facts_of, live_digest, rebuild_digest
from shared.eventlog.verify import BrokenLog, verify_log

EQUAL_WITHIN_S = 30.0


def verified_shards(stack: Stack) -> tuple[tuple[ShardRoot, ...], list[str]]:
    """Return every shard's recomputed size and root, and what did not fit."""
    roots: list[ShardRoot] = []
    broken: list[str] = []
    for service in SERVICES:
        for shard in range(stack.shards):
            try:
                found = verify_log(stack.dsn(service), shard)
                roots.append(ShardRoot(service, shard, found.size, found.root.hex()))
            except BrokenLog as error:
                broken.append(f"{service}: {error}")
    return tuple(roots), broken


def projections_equal(stack: Stack) -> list[str]:
    """Return the names of projections that differ from a rebuild out of the logs alone.

    A projection may still be folding the last events when it is asked; it is asked again for half a minute.
    """
    return _unequal(stack, "ledger", LEDGER_PROJECTIONS, ("ledger",)) + _unequal(
        stack, "gateway", GATEWAY_PROJECTIONS, ("billing", "ledger", "notifier")
    )


def _unequal(stack: Stack, service: str, projections: Sequence[Projection], sources: Sequence[str]) -> list[str]:
    dsn = make_conninfo(stack.admin_dsn, dbname=f"piperoll_{service}")
    unequal = []
    for projection in projections:
        deadline = time.monotonic() + EQUAL_WITHIN_S
        while live_digest(dsn, projection) != rebuild_digest(dsn, projection, _facts(stack, sources)):
            if time.monotonic() > deadline:
                unequal.append(f"{service}.{projection.name}")
                break
            time.sleep(0.5)
    return unequal


def _facts(stack: Stack, sources: Sequence[str]) -> Iterator[Placed]:
    return chain.from_iterable(facts_of(stack.dsn(source), source) for source in sources)
