"""Stored events: their bytes come back whatever they are, and usual ones are stored short."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from shared.eventlog.packing import MANY, pack, pack_all, unpack

GOLDEN = Path(__file__).parents[2] / "contract" / "golden"
MAGIC = b"\x28\xb5\x2f\xfd"


@given(st.binary(max_size=2_000))
@example(b"")
@example(MAGIC)
@example(MAGIC + b"anything")
@example(zstandard.compress(b"a frame of somebody else's"))
def test_whatever_is_packed_comes_back(data: bytes) -> None:
    assert unpack(pack(data)) == data


@given(st.lists(st.binary(min_size=1, max_size=200) | st.just(MAGIC), min_size=MANY, max_size=2 * MANY) | st.just([]))
@example([b""] * MANY)
@example([b'{"tenant":"demo"}' * 20] * MANY)
def test_many_are_packed_as_each_alone(events: list[bytes]) -> None:
    assert pack_all(events) == [pack(data) for data in events]


def test_threads_pack_and_unpack_at_once_without_spoiling_each_others_frames() -> None:
    def come_back(seed: int) -> bool:
        events = (
            b'{"tenant":"demo","event_id":"%032x"}' % (seed * number) * (1 + number % 9) for number in range(5_000)
        )
        return all(unpack(pack(event)) == event for event in events)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(come_back, range(1, 5)))


def test_every_golden_message_is_stored_in_less_than_half_its_bytes() -> None:
    messages = [file.read_bytes().rstrip(b"\n") for file in GOLDEN.glob("*.json")]
    assert sum(len(pack(message)) for message in messages) < sum(map(len, messages)) / 2
    assert all(unpack(pack(message)) == message for message in messages)


def test_what_was_stored_before_there_were_frames_is_read_as_it_is() -> None:
    assert unpack(b'{"tenant":"demo"}') == b'{"tenant":"demo"}'


def test_the_dictionary_is_the_one_with_which_every_log_was_written() -> None:
    dictionary = Path(__file__).parents[3] / "shared" / "eventlog" / "envelope-1.zdict"
    assert zlib.crc32(dictionary.read_bytes()) == 2039279450


def test_an_event_that_is_too_long_is_refused_however_well_it_packs() -> None:
    assert unpack(pack(b"x" * 65_535)) == b"x" * 65_535
    with pytest.raises(ValueError, match="65536 bytes"):
        pack(b"x" * 65_536)
    with pytest.raises(ValueError, match="65536 bytes"):
        pack_all([b"x"] * MANY + [b"x" * 65_536])


@pytest.mark.parametrize("stored", [MAGIC, MAGIC + b"\0" * 9, pack(b"y" * 500)[:-1], zstandard.compress(b"z" * 70_000)])
def test_a_damaged_frame_says_so(stored: bytes) -> None:
    with pytest.raises(ValueError, match="stored frame"):
        unpack(stored)
