"""The compact range against RFC 6962's own recursion and its published vectors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.eventlog.merkle import EMPTY_ROOT, extend, leaf_hash, root

# The reference vectors of Certificate Transparency: eight leaves and the root after each.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree_hash(data: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(data[:split]) + tree_hash(data[split:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_vectors_are_met(size: int) -> None:
    head = extend(b"", 0, [leaf_hash(leaf) for leaf in LEAVES[:size]])
    assert root(head).hex() == ROOTS[size - 1] == tree_hash(LEAVES[:size]).hex()


def test_an_empty_log_has_the_hash_of_nothing_as_root() -> None:
    assert root(b"") == EMPTY_ROOT == tree_hash([])


@given(st.lists(st.binary(max_size=40), max_size=70), st.integers(0, 70))
def test_a_log_extended_in_two_steps_has_the_root_of_the_recursion(data: list[bytes], cut: int) -> None:
    cut = min(cut, len(data))
    first = extend(b"", 0, [leaf_hash(item) for item in data[:cut]])
    head = extend(first, cut, [leaf_hash(item) for item in data[cut:]])
    assert root(head) == tree_hash(data)
    assert len(head) == 32 * len(data).bit_count()


@pytest.mark.parametrize(("head", "size"), [(b"", 1), (b"x" * 32, 0), (b"x" * 32, 3), (b"x" * 31, 1)])
def test_a_head_that_does_not_fit_the_size_is_refused(head: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="nodes"):
        extend(head, size, [])
