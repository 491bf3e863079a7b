"""A map of shards to servers: each shard exactly once, and a server that is away harms only its own."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.config import GatewaySettings
from services.ledger.config import LedgerHttpSettings
from shared.errors import Misplaced, StoreDown
from shared.eventlog.memory import MemoryStore
from shared.eventlog.placed_store import PlacedStore
from shared.postgres.placement import Placement
from shared.settings import OneServerSettings, ProcessSettings

SHARDS = 4
PLACEMENT = Placement(("a", "a", "b", "b"))


def settings(**given: Any) -> ProcessSettings:
    return ProcessSettings(kafka_bootstrap="localhost:1", shards=SHARDS, **given)


class World:
    """Two servers in memory, with the shards that the map places there unless told otherwise."""

    def __init__(self, on_a: tuple[int, ...] = (0, 1), on_b: tuple[int, ...] = (2, 3)) -> None:
        self.servers = {"a": MemoryStore(SHARDS), "b": MemoryStore(SHARDS)}
        for server, shards in zip(self.servers.values(), (on_a, on_b), strict=True):
            server.shards = {shard: server.shards[shard] for shard in shards}
        self.store = PlacedStore(PLACEMENT, self.servers.__getitem__)


def test_ranges_and_numbers_say_which_server_has_a_shard() -> None:
    placement = Placement.of({"0-1,3": "a", " 2 ": "b"}, SHARDS)
    assert placement.dsns == ("a", "a", "b", "a")
    assert placement.servers == {"a": (0, 1, 3), "b": (2,)}
    assert placement.from_shard(2) == ("b", "a")


@pytest.mark.parametrize(
    ("placed", "why"),
    [
        ({"0-2": "a"}, "shard 3 is placed nowhere"),
        ({"0-2": "a", "2-3": "b"}, "shard 2 is placed twice"),
        ({"0-3": "a", "3": "a"}, "shard 3 is placed twice"),
        ({"0-4": "a"}, "names shard 4, and there are shards 0 to 3"),
        ({"3-0": "a"}, "a range that ends before it begins"),
        ({"zero": "a"}, "is no list of shards"),
        ({"0-3,": "a"}, "is no list of shards"),
        ({"-1": "a"}, "is no list of shards"),
        ({"0-3": " "}, "names no server"),
    ],
)
def test_a_map_that_is_not_whole_is_refused_by_field_and_rule_and_quotes_no_server(
    placed: dict[str, str], why: str
) -> None:
    secret = {named: dsn.strip() and f"{dsn} password=geheim" for named, dsn in placed.items()}
    with pytest.raises(ValidationError, match=f"PIPEROLL_POSTGRES_DSNS: .*{why}") as refused:
        settings(postgres_dsns=secret)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("given", [{}, {"postgres_dsn": "a", "postgres_dsns": {"0-3": "a"}}])
def test_either_one_server_is_named_or_several(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either one server in PIPEROLL_POSTGRES_DSN or several"):
        settings(**given)


def test_the_map_is_read_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPEROLL_POSTGRES_DSNS", '{"0-1": "host=a", "2-3": "host=b"}')
    assert settings().placement.dsns == ("host=a", "host=a", "host=b", "host=b")


def test_one_server_has_all_shards() -> None:
    assert settings(postgres_dsn="a").placement.servers == {"a": (0, 1, 2, 3)}


@pytest.mark.parametrize("kind", [GatewaySettings, LedgerHttpSettings])
def test_who_works_over_all_shards_at_once_takes_no_map(kind: type[OneServerSettings]) -> None:
    with pytest.raises(ValidationError, match="works over all shards at once"):
        kind(kafka_bootstrap="", shards=SHARDS, postgres_dsns={"0-3": "a"})


@pytest.mark.parametrize(
    ("on_a", "on_b"), [((0,), (2, 3)), ((0, 1), (1, 2, 3)), ((2, 3), (0, 1))], ids=["missing", "twice", "swapped"]
)
async def test_a_server_with_other_shards_than_the_map_says_is_refused(
    on_a: tuple[int, ...], on_b: tuple[int, ...]
) -> None:
    world = World(on_a, on_b)
    with pytest.raises(Misplaced, match="PIPEROLL_POSTGRES_DSNS places shards"):
        await world.store.check()


async def test_a_server_that_is_away_at_the_start_is_checked_before_its_first_shard_is_taken() -> None:
    world = World(on_b=(1, 2, 3))
    world.servers["b"].down = True
    await world.store.check()
    with pytest.raises(StoreDown):
        await world.store.take_over(2)
    world.servers["b"].down = False
    with pytest.raises(Misplaced):
        await world.store.take_over(2)
    assert (await world.store.take_over(0)).epoch == 1


async def test_while_one_server_is_away_the_shards_of_the_other_go_on() -> None:
    world = World()
    world.servers["b"].down = True
    assert (await world.store.take_over(1)).epoch == 1
    await world.store.save_seeks({("t", 0): 7})
    assert await world.store.seeks() == {("t", 0): 7}
    assert set(await world.store.log_heads(range(SHARDS))) == {0, 1}
    assert await world.store.ends([0, 1]) == {0: 0, 1: 0}


async def test_what_is_asked_of_all_shards_needs_all_servers() -> None:
    world = World()
    assert await world.store.ends(range(SHARDS)) == dict.fromkeys(range(SHARDS), 0)
    world.servers["b"].down = True
    with pytest.raises(StoreDown):
        await world.store.ends(range(SHARDS))


async def test_a_commit_over_the_shards_of_two_servers_is_refused() -> None:
    with pytest.raises(ValueError, match="do not lie on one server"):
        await World().store.append_shared([0, 2], [], lambda held, found: ([], []))
