"""Kafka without a broker: settings become client arguments, bytes become records or strays, a lane keeps its order."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence

import msgspec
import pytest
from aiokafka import TopicPartition
from faststream.kafka.security import parse_security
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts.topics import ALL_TOPICS, BY_NAME, LEDGER_BALANCES
from shared.errors import Fenced, RolledBack, WorldFault
from shared.eventlog.parking import dead_letter
from shared.eventlog.ports import Parked, Record, Stray
from shared.kafka import lanes
from shared.kafka.lanes import Lane
from shared.kafka.pulse import STILL_S, Pulse
from shared.kafka.records import parse
from shared.kafka.settings import KafkaSettings
from shared.kafka.subscriber import pause_after
from shared.kafka.topics import topic_configs

TOPIC = "billing.events.v1"
HASH = "ab" * 32
BYTES = st.none() | st.binary(max_size=70)
Headers = list[tuple[str, bytes | None]]


class Raw(msgspec.Struct):
    """A record as it comes."""

    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None = b"{}"
    key: bytes | None = b"acc_1"
    topic: str = TOPIC
    partition: int = 3
    offset: int = 17


def place(**changed: str) -> Headers:
    fields = {"source": "billing", "shard": "3", "position": "8", "previous": "7", "previous_hash": HASH, **changed}
    return [(name, text.encode()) for name, text in fields.items()]


def test_plain_settings_become_plain_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPEROLL_KAFKA_BOOTSTRAP", "one:9092,two:9092")
    settings = KafkaSettings()  # type: ignore[call-arg]
    assert settings.client_options() == {
        "bootstrap_servers": "one:9092,two:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }
    assert parse_security(settings.faststream_security())["security_protocol"] == "PLAINTEXT"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sasl_over_tls_reaches_both_libraries(monkeypatch: pytest.MonkeyPatch, mechanism: str) -> None:
    for name, value in {
        "BOOTSTRAP": "one:9093", "SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": mechanism,
        "SASL_USERNAME": "billing", "SASL_PASSWORD": "secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PIPEROLL_KAFKA_{name}", value)
    settings = KafkaSettings()  # type: ignore[call-arg]
    ours, theirs = settings.client_options(), parse_security(settings.faststream_security())
    for options in (ours, theirs):
        assert options["security_protocol"] == "SASL_SSL"
        assert options["sasl_mechanism"] == mechanism
        assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("billing", "secret")
        assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
        assert options["ssl_context"].check_hostname
    assert "secret" not in repr(settings)


def test_tls_without_sasl_and_incomplete_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = KafkaSettings(bootstrap="one:9093", security_protocol="SSL")
    assert parse_security(settings.faststream_security())["security_protocol"] == "SSL"
    assert isinstance(settings.client_options()["ssl_context"], ssl.SSLContext)
    with pytest.raises(ValidationError, match="SASL_USERNAME"):
        KafkaSettings(bootstrap="one:9093", security_protocol="SASL_SSL")


def test_every_topic_says_how_long_it_keeps() -> None:
    settings = KafkaSettings(bootstrap="x:1", min_insync_replicas=2)
    for topic in ALL_TOPICS:
        configs = topic_configs(topic, settings)
        assert configs["min.insync.replicas"] == "2"
        assert configs["unclean.leader.election.enable"] == "false"
        assert configs["cleanup.policy"] == ("compact" if topic.compacted else "delete")
    assert topic_configs(BY_NAME[TOPIC], settings)["retention.ms"] == "-1"
    assert "retention.ms" not in topic_configs(BY_NAME[LEDGER_BALANCES], settings)


def test_a_record_with_its_place_is_a_record() -> None:
    record = parse(Raw([*place(), ("ce_type", b"billing.x.v1"), ("traceparent", b"00-a-b-01"), ("other", b"\xff")]))
    assert record == Record(
        topic=TOPIC, partition=3, offset=17, key="acc_1", value=b"{}", source="billing", source_shard=3, position=8,
        previous=7, previous_hash=bytes.fromhex(HASH), type="billing.x.v1", trace="00-a-b-01",
    )  # fmt: skip


def test_the_first_record_of_a_chain_names_nothing_before_it() -> None:
    first = parse(Raw(place(position="1", previous="0", previous_hash="")))
    assert isinstance(first, Record)
    assert (first.previous, first.previous_hash) == (0, b"")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        place()[:-1],
        place(position="0", previous="0", previous_hash=""),
        place(position="7"),
        place(position="eight"),
        place(position="+8"),
        place(position="８"),
        place(position="9" * 19),
        place(previous="-1"),
        place(previous_hash="abc"),
        place(previous_hash="zz" * 32),
        place(previous_hash=""),
        place(previous="0"),
        place(shard=str(2**31)),
        [("shard", b"\xff")],
    ],
)
def test_a_record_without_a_place_is_a_stray(headers: Headers) -> None:
    stray = parse(Raw(headers, value=b"not json"))
    assert isinstance(stray, Stray)
    assert (stray.cause, stray.offset, stray.key, stray.value) == ("no_place", 17, "acc_1", b"not json")


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (Raw(place(shard="4")), "foreign_shard"),
        (Raw(place(source="gateway")), "foreign_source"),
        (Raw([*place(), ("source", None)]), "foreign_source"),
        (Raw([], value=b"x" * 65_536), "too_large"),
    ],
)
def test_a_stray_says_why(raw: Raw, cause: str) -> None:
    stray = parse(raw)
    assert isinstance(stray, Stray)
    assert stray.cause == cause


def test_a_routed_record_may_come_from_another_shard() -> None:
    assert isinstance(parse(Raw(place(shard="4"), topic="billing.routed.v1")), Record)


def test_too_large_a_value_with_a_place_keeps_its_place() -> None:
    assert isinstance(parse(Raw(place(), value=b"x" * 65_536)), Record)


@given(st.lists(st.tuples(st.sampled_from([*dict(place()), "ce_type"]), BYTES)), BYTES, BYTES)
def test_no_bytes_whatever_make_the_parser_raise(headers: Headers, key: bytes | None, value: bytes | None) -> None:
    parse(Raw(headers, value=value, key=key))
    parse(Raw([*place(), *headers], value=value, key=key))


def test_no_text_of_a_record_holds_what_a_database_does_not_take() -> None:
    record = parse(Raw([*place(), ("ce_type", b"a\0b"), ("traceparent", b"\0")], key=b"acc_\0"))
    assert isinstance(record, Record)
    assert "\0" not in record.key + record.type + (record.trace or "")


def test_a_dead_letter_says_why_and_whence() -> None:
    parked = Parked(TOPIC, 3, 8, "acc_1", "wrong_schema", b"{}", "billing.x.v1", "00-a-b-01")
    letter = dead_letter("ledger", 3, parked)
    assert (letter.topic, letter.partition, letter.value) == ("billing.events.v1.dlt", 3, b"{}")
    assert dict(letter.headers)["cause"] == b"wrong_schema"


def test_a_pulse_beats_while_places_move_or_nothing_is_left() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    for step in range(5):
        now[0] += STILL_S - 1
        assert pulse.beats({"p": step}, lag=9)
    now[0] += STILL_S - 1
    assert pulse.beats({"p": 4}, lag=9)
    now[0] += 2
    assert not pulse.beats({"p": 4}, lag=9)
    assert pulse.beats({"p": 4}, lag=0)


class Reader:
    """A consumer that does as it is told."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.sought: dict[TopicPartition, int] = {}

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused.difference_update(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset

    async def starts(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 5)


PARTITION = TopicPartition(TOPIC, 3)


async def nothing(shards: Sequence[int]) -> None:
    """Take the shard at once."""


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_lane_takes_the_shard_over_before_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_BACK_OFF_S", 0.001)
    reader, asked = Reader(), [0]
    reader.pause([PARTITION])

    async def take(shards: Sequence[int]) -> None:
        asked[0] += 1
        if asked[0] < 3:
            raise WorldFault("the store is away")

    async def handle(shard: int, records: Sequence[Record | Stray]) -> None: ...

    lane = Lane("test", 3, [PARTITION], reader, take, handle)
    lane.offer([Raw(place(), offset=4)])
    await asyncio.sleep(0.05)
    assert asked == [3]
    assert reader.sought == {PARTITION: 5}
    assert reader.paused == set()
    assert lane.waiting == 0
    await lane.abandon()


async def test_a_drained_lane_has_handed_on_what_waited() -> None:
    seen: list[int] = []

    async def handle(shard: int, records: Sequence[Record | Stray]) -> None:
        await asyncio.sleep(0)
        seen.extend(record.offset for record in records)

    lane = Lane("test", 3, [PARTITION], Reader(), nothing, handle)
    await settle()
    lane.offer([Raw(place(), offset=offset) for offset in range(5, 9)])
    assert await lane.drain(1.0)
    assert seen == [5, 6, 7, 8]
    assert lane.handled == {PARTITION: 9}


async def test_a_lane_that_cannot_finish_in_time_is_abandoned() -> None:
    async def handle(shard: int, records: Sequence[Record | Stray]) -> None:
        await asyncio.sleep(60)

    lane = Lane("test", 3, [PARTITION], Reader(), nothing, handle)
    await settle()
    lane.offer([Raw(place(), offset=5)])
    await settle()
    assert not await lane.drain(0.05)
    assert lane.handled == {PARTITION: 5}


@pytest.mark.parametrize("fault", [Fenced("taken"), RolledBack("old copy")])
async def test_a_fault_of_ours_ends_the_lane_and_pauses_its_partitions(fault: Exception) -> None:
    reader = Reader()

    async def handle(shard: int, records: Sequence[Record | Stray]) -> None:
        raise fault

    lane = Lane("test", 3, [PARTITION], reader, nothing, handle)
    await settle()
    lane.offer([Raw(place(), offset=5)])
    await settle()
    assert lane.failed is fault
    assert reader.paused == {PARTITION}
    assert lane.handled == {PARTITION: 5}


async def test_a_lane_that_meets_the_unforeseen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    unforeseen = TypeError("nobody thought of this")

    def raises(raw: object) -> Record:
        raise unforeseen

    monkeypatch.setattr(lanes, "parse", raises)
    lane = Lane("test", 3, [PARTITION], Reader(), nothing, lambda shard, records: asyncio.sleep(0))
    await settle()
    lane.offer([Raw(place(), offset=5)])
    await settle()
    assert lane.failed is unforeseen


@pytest.mark.parametrize(
    ("records", "shards", "least_s", "expected_s"),
    [
        (0, 0, 0.05, 0.0),
        (1, 1, 0.0, 0.0),
        (3, 3, 0.0, 0.016),
        (1, 1, 0.05, 0.05),
        (8, 8, 0, 0.03),
        (4_000, 8, 0.05, 0.0),
    ],
)
def test_a_poll_that_brought_a_little_of_several_shards_lets_more_come_together(
    records: int, shards: int, least_s: float, expected_s: float
) -> None:
    assert pause_after(records, shards, least_s) == pytest.approx(expected_s)
