"""The ledger's shards on two PostgreSQL servers: one worker writes to both, and one server's end is not the other's."""

import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from services.ledger.checks import trial_balance_minor
from shared.eventlog.verify import verify_log
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.topics import ensure_topics
from shared.postgres.provision import ProvisionRefused, provision
from tests.flow.ledger_workers import SHARDS, Bills, health, posted, until, worker_beside

PLACED = {"0-3": range(4), "4-7": range(4, SHARDS)}


@contextmanager
def two_servers(folder: Path) -> Iterator[tuple[Stack, Stack]]:
    """Run a server with shards 0 to 3 and Kafka, and another server with shards 4 to 7."""
    with (
        Stack(folder / "first", only=("postgres", "kafka")) as first,
        Stack(folder / "second", only=("postgres",)) as second,
    ):
        for server, shards in zip((first, second), PLACED.values(), strict=True):
            provision(server.admin_dsn, "ledger", SHARDS, placed=shards)
        yield first, second


def settings(servers: Sequence[Stack]) -> dict[str, str]:
    """Return what tells a worker where its shards lie."""
    dsns = dict(zip(PLACED, (server.dsn("ledger") for server in servers), strict=True))
    return {"PIPEROLL_POSTGRES_DSN": "", "PIPEROLL_POSTGRES_DSNS": json.dumps(dsns)}


async def test_while_one_server_is_away_the_other_s_shards_go_on_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    with two_servers(tmp_path) as servers:
        first, second = servers
        await ensure_topics(first.bootstrap, SHARDS)
        bills = Bills()
        bills.publisher = KafkaPublisher(first.bootstrap, "bills")

        def all_posted(server: Stack) -> bool:
            on_it = PLACED["0-3" if server is first else "4-7"]
            return posted(server) == Counter({shard: bills.told[shard] for shard in on_it})

        with worker_beside(first, "ledger-placed", **settings(servers)) as worker:
            await bills.tell(3)
            for server in servers:
                await until(lambda: all_posted(server), 60.0, "entries on both servers")  # noqa: B023
            async with bills.trickling():
                second.kill("postgres", signal.SIGKILL)
                second.stop_process("postgres")
                before = posted(first)
                await until(lambda: posted(first) >= before + Counter(dict.fromkeys(PLACED["0-3"], 5)), 30.0, "entries")
                assert worker.held() == set(range(SHARDS))
                second.start_process("postgres")
                second.wait_ready()
            for server in servers:
                await until(lambda: all_posted(server), 60.0, "entries on both servers")  # noqa: B023
            await until(lambda: health(worker.port)["checks"]["writers"], 30.0, "writers that are well")
            assert worker.process.poll() is None
            await until(lambda: _balances(servers) == 0 and _folded(servers), 30.0, "folded books")
        await bills.publisher.stop()
        for server, shards in zip(servers, PLACED.values(), strict=True):
            for shard in shards:
                assert verify_log(server.dsn("ledger"), shard).size == bills.told[shard]


def _balances(servers: Sequence[Stack]) -> int:
    return sum(trial_balance_minor(server.dsn("ledger")) for server in servers)


def _folded(servers: Sequence[Stack]) -> bool:
    """Tell whether every server's books have moved."""
    import psycopg

    for server in servers:
        with psycopg.connect(server.dsn("ledger")) as connection:
            if connection.execute("SELECT 1 FROM balance WHERE debit_minor > 0").fetchone() is None:
                return False
    return True


async def test_a_map_that_does_not_fit_the_servers_stops_the_worker_with_one_sentence(tmp_path: Path) -> None:
    with two_servers(tmp_path) as servers:
        await ensure_topics(servers[0].bootstrap, SHARDS)
        with worker_beside(servers[0], "ledger-swapped", **settings(servers[::-1])) as worker:
            await until(lambda: worker.process.poll() is not None, 30.0, "the worker's end")
            assert worker.process.returncode == 1
            assert "places shards [0, 1, 2, 3] on a server that has [4, 5, 6, 7]" in worker.log.read_text()
        with pytest.raises(ProvisionRefused, match=r"was made with shards \[4, 5, 6, 7\]"):
            provision(servers[1].admin_dsn, "ledger", SHARDS, placed=range(4))
