"""How soon a worker appends to a shard that is long."""

import asyncio
import subprocess
import sys
import time

import psycopg

from tests.bench.entries import account_of
from tests.bench.facts import Facts
from tests.bench.held import Chain, held_writer
from tests.bench.machine import RUNS, record, say

FAR = 10**12
"""Billing's positions begin so far on that no event of the filled log has come of one of them."""


def cold_start(admin: str) -> list[dict[str, object]]:
    """Return `worker.cold_start`: seconds from the takeover of a filled shard to its first append, a process each.

    The household of that append is one that the log has events of. The baseline is the whole process: interpreter,
    imports, connections and all.
    """
    taken: list[float] = []
    whole: list[float] = []
    for number in range(RUNS):
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DELETE FROM cursor")
        began = time.perf_counter()
        begin = (number + 1) * FAR
        command = [sys.executable, "-m", "tests.bench.workers", admin, account_of(number + 1), str(begin)]
        taken.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        whole.append(time.perf_counter() - began)
        say(f"worker.cold_start: {taken[-1]:.3f} s, whole process {whole[-1]:.2f} s")
    return [record("worker.cold_start", "s", taken, whole, smaller_is_better=True)]


async def _first_append(admin: str, account: str, after: int) -> float:
    facts = Facts([account])
    facts.position = after
    records = Chain().records(facts.openings())
    began = time.perf_counter()
    async with held_writer(admin) as writer:
        before = writer.position
        await writer.submit_batch(records)
        assert writer.position > before
        return time.perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(_first_append(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
