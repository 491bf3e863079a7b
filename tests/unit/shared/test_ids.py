"""Ids as text: base 32 without tables says the same as the quick ways."""

from hypothesis import example, given
from hypothesis import strategies as st

from shared.ids import CROCKFORD, ROOT_BYTES, base32, bytes_of_base32, event_id, event_text

roots = st.binary(min_size=ROOT_BYTES, max_size=ROOT_BYTES)


def plainly(data: bytes) -> str:
    """Return base 32 letter by letter from the bits."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(CROCKFORD[int(bits[place : place + 5], 2)] for place in range(0, len(bits), 5))


@given(st.binary(max_size=40) | roots)
def test_any_bytes_have_one_text_and_come_back_from_it(data: bytes) -> None:
    assert base32(data) == plainly(data)
    assert bytes_of_base32(base32(data), len(data)) == data


@given(roots, st.integers(0, 0xFFFF))
@example(b"\xff" * ROOT_BYTES, 8_191)
@example(b"\xff" * ROOT_BYTES, 8_192)
def test_the_text_of_an_event_id_follows_from_that_of_its_root(root: bytes, index: int) -> None:
    assert event_text(root, base32(root), index) == plainly(event_id(root, index))
