"""Keys and seals: pure but for the random bytes of new keys and nonces.

A master key wraps each member's data key; the data key seals each value (AES-256-GCM, 12-byte nonce in front) with the
row's identity as associated data, so that a sealed value moved to another row does not open.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import BadInput, OwnFault
from shared.ids import canonical_json

KEY_BYTES = 32
NONCE_BYTES = 12


class WrongMasterKey(OwnFault):
    """The key file does not hold the key that wrapped a member's, or the database was tampered with."""


class Erased(BadInput):
    """The member's key was destroyed, or the row is not there: there is nothing to send."""

    def __init__(self, tenant: str, member_id: str) -> None:
        super().__init__(f"{tenant}/{member_id} is erased, or the field was never written")
        self.member_id = member_id


@dataclass(frozen=True)
class MasterKey:
    """The key that wraps new members' keys, and older ones that still unwrap theirs, by key id."""

    id: str
    _keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> "MasterKey":
        """Return a master key of raw 32-byte keys, the newest first; ValueError for any other length or none."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        return cls(_key_id(keys[0]), {_key_id(key): key for key in keys})

    @classmethod
    def read(cls, path: Path) -> "MasterKey":
        """Return what a key file holds: 64 hexadecimal characters a line, the first line wraps new keys.

        To rotate, put the new key in front and keep the older lines. A file that holds anything else raises
        ValueError, which never quotes it.
        """
        try:
            return cls.of([bytes.fromhex(line) for line in path.read_text(encoding="ascii").split()])
        except ValueError as error:
            raise ValueError(f"{path} must hold {KEY_BYTES * 2} hexadecimal characters a line") from error

    def knows(self, key_id: str) -> bool:
        """Say whether members' keys that were wrapped under this id can be unwrapped."""
        return key_id in self._keys

    def wrap(self, data_key: bytes, tenant: str, member_id: str) -> bytes:
        """Return a member's data key as it is stored beside `id`."""
        return _seal(self._keys[self.id], data_key, _wrapping(self.id, tenant, member_id))

    def unwrap(self, wrapped: bytes, key_id: str, tenant: str, member_id: str) -> bytes:
        """Return a member's data key; an unknown key id or a key that does not open raises WrongMasterKey."""
        key = self._keys.get(key_id)
        if key is None:
            raise WrongMasterKey(f"{tenant}/{member_id} needs master key {key_id}; the key file has {list(self._keys)}")
        try:
            return _open(key, wrapped, _wrapping(key_id, tenant, member_id))
        except InvalidTag as error:
            raise WrongMasterKey(f"{tenant}/{member_id}: master key {key_id} does not open its key") from error


def new_data_key() -> bytes:
    """Return a fresh random data key."""
    return os.urandom(KEY_BYTES)


@dataclass(frozen=True)
class MemberSeal:
    """Seals and opens the values of one member."""

    tenant: str
    member_id: str
    data_key: bytes = field(repr=False)

    def seal(self, name: str, version: int, content: str) -> bytes:
        """Return the sealed value for exactly this row."""
        return _seal(self.data_key, content.encode(), self._row(name, version))

    def open(self, name: str, version: int, sealed: bytes) -> str:
        """Return the content; a value that was not sealed for this row raises WrongMasterKey."""
        try:
            return _open(self.data_key, sealed, self._row(name, version)).decode()
        except InvalidTag as error:
            raise WrongMasterKey(f"{self.tenant}/{self.member_id}: {name} {version} does not open") from error

    def tag(self, name: str, content: str) -> bytes:
        """Return the 32-byte MAC by which equal content is found; worthless once the data key is destroyed."""
        key = hmac.digest(self.data_key, b"piperoll/people/tag", hashlib.sha256)
        return hmac.digest(key, canonical_json([name, content]), hashlib.sha256)

    def _row(self, name: str, version: int) -> bytes:
        return canonical_json(["value", self.tenant, self.member_id, name, version])


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"piperoll/people/key-id" + key).hexdigest()[:16]


def _wrapping(key_id: str, tenant: str, member_id: str) -> bytes:
    return canonical_json(["key", key_id, tenant, member_id])


def _seal(key: bytes, plain: bytes, identity: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, identity)


def _open(key: bytes, sealed: bytes, identity: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], identity)
