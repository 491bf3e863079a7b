"""RFC 6962 trees, kept as a compact range: the roots of the perfect subtrees, largest first.

A log of n events has one node per one-bit of n; appending a leaf costs one hash and, amortised, one more.
"""

import hashlib
from collections.abc import Iterable

NODE_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of an event's bytes as a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(head: bytes, size: int, leaves: Iterable[bytes]) -> bytes:
    """Return the compact range of a log of `size` leaves with `leaves` (leaf hashes) after it.

    `head` is the concatenated 32-byte nodes; a head that does not fit `size` raises ValueError.
    """
    nodes = [head[i : i + NODE_BYTES] for i in range(0, len(head), NODE_BYTES)]
    if len(head) % NODE_BYTES or len(nodes) != size.bit_count():
        raise ValueError(f"a log of {size} leaves has {size.bit_count()} nodes, not {len(head) / NODE_BYTES}")
    sha256 = hashlib.sha256
    for leaf in leaves:
        node, trailing = leaf, size
        while trailing & 1:
            node = sha256(b"\x01" + nodes.pop() + node).digest()
            trailing >>= 1
        nodes.append(node)
        size += 1
    return b"".join(nodes)


def root(head: bytes) -> bytes:
    """Return the Merkle tree hash of the log that this compact range stands for."""
    if not head:
        return EMPTY_ROOT
    nodes = [head[i : i + NODE_BYTES] for i in range(0, len(head), NODE_BYTES)]
    result = nodes.pop()
    while nodes:
        result = node_hash(nodes.pop(), result)
    return result
