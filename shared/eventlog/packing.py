"""How an event's bytes are stored: as a zstd frame with a dictionary of ours, about a fifth of their length.

Everything else sees the bytes themselves: the Merkle leaf, the topics, the export. A dictionary is never changed and
never removed; a frame names the one that it was made with. What would not become shorter is stored as it is.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import zstandard

from shared.contracts.envelope import MAX_DATA_BYTES

LEVEL = 1
MANY = 16
_MAGIC = b"\x28\xb5\x2f\xfd"
_DICTIONARY = zstandard.ZstdCompressionDict((Path(__file__).parent / "envelope-1.zdict").read_bytes())
_DICTIONARY.precompute_compress(level=LEVEL)


class _Coders(threading.local):
    """A compressor and a decompressor of each thread's own: one that two threads use at once spoils frames."""

    def __init__(self) -> None:
        compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=_DICTIONARY, write_checksum=False)
        self.compress = compressor.compress
        self.compress_all = compressor.multi_compress_to_buffer
        self.decompress = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress


_coders = _Coders()


def pack(data: bytes) -> bytes:
    """Return the stored form of an event's bytes; more than 65,535 raise ValueError."""
    _check(data)
    packed = _coders.compress(data)
    return packed if _is_better(packed, data) else data


def pack_all(events: Sequence[bytes]) -> list[bytes]:
    """Return the stored form of each event's bytes, as `pack` does; many at once cost a third less."""
    if len(events) < MANY or not all(events):
        return [pack(data) for data in events]
    for data in events:
        _check(data)
    packed = _coders.compress_all([*events])
    frames = [packed[number].tobytes() for number in range(len(packed))]
    return [frame if _is_better(frame, data) else data for frame, data in zip(frames, events, strict=True)]


def _check(data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"an event has {len(data)} bytes, at most {MAX_DATA_BYTES} fit")


def _is_better(packed: bytes, data: bytes) -> bool:
    return len(packed) < len(data) or data.startswith(_MAGIC)


def unpack(stored: bytes) -> bytes:
    """Return an event's bytes from their stored form; what was stored before there were frames is its own form.

    A frame that is damaged, or that says it is longer than an event may be, raises ValueError.
    """
    if not stored.startswith(_MAGIC):
        return stored
    try:
        if zstandard.frame_content_size(stored) > MAX_DATA_BYTES:
            raise ValueError("a stored frame is longer than an event may be")
        return _coders.decompress(stored)
    except zstandard.ZstdError as error:
        raise ValueError(f"a stored frame cannot be read: {error}") from error
