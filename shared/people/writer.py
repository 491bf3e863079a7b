"""Writes personal data before the event that names it, and erases it; reads back only what staff wrote."""

from collections.abc import Collection, Mapping
from typing import Any

from shared.errors import WorldFault
from shared.people.database import PeopleDatabase
from shared.people.sealing import Erased, MasterKey, MemberSeal, new_data_key

MAX_RACES = 10
NOTE = "note"


class PeopleWriter(PeopleDatabase):
    """The gateway's side. Its role reads keys, tags and notes; any other sealed value it cannot read back."""

    def __init__(self, dsn: str, master_key: MasterKey) -> None:
        super().__init__(dsn)
        self._master_key = master_key

    async def put(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        """Store contents and return each field's version; content that the member has already keeps its version.

        One round trip for a new member, three for new content of a known one. Concurrent puts are safe. Errors:
        Erased where the member was erased, StoreDown.
        """
        if not fields:
            return {}
        versions = await self._put_new_member(tenant, member_id, fields)
        for _ in range(MAX_RACES):
            if len(versions) == len(fields):
                return versions
            versions = await self._put_known_member(tenant, member_id, fields)
        raise WorldFault(f"{tenant}/{member_id}: {MAX_RACES} other writers came between")

    async def notes(self, tenant: str, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Return the notes, by member and version, that are there; an erased one is not.

        Errors: StoreDown, WrongMasterKey.
        """
        members, versions = [member for member, _ in wanted], [version for _, version in wanted]
        rows = await self.run("read_notes", {"tenant": tenant, "members": members, "versions": versions})
        found: dict[tuple[str, int], str] = {}
        for member, version, key_id, wrapped, sealed in rows:
            seal = MemberSeal(tenant, member, self._master_key.unwrap(bytes(wrapped), key_id, tenant, member))
            found[member, version] = seal.open(NOTE, version, bytes(sealed))
        return found

    async def erase(self, tenant: str, member_id: str) -> bool:
        """Destroy the member's key and rows for good; True where there was a key."""
        rows = await self.run("erase_member", {"tenant": tenant, "member_id": member_id})
        return bool(rows[0][0])

    async def _put_new_member(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        seal = MemberSeal(tenant, member_id, new_data_key())
        parameters = {
            "master_key_id": self._master_key.id,
            "wrapped": self._master_key.wrap(seal.data_key, tenant, member_id),
            **_rows(seal, fields, dict.fromkeys(fields, 1)),
        }
        return dict(await self.run("put_new_member", parameters))

    async def _put_known_member(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        """Return the versions that stand; fewer than asked where another writer came between."""
        wanted = {"tenant": tenant, "member_id": member_id, "fields": list(fields)}
        found = await self.run("find_member", wanted)
        if not found or found[0][1] is None:
            raise Erased(tenant, member_id)
        key_id, wrapped = found[0][:2]
        seal = MemberSeal(tenant, member_id, self._master_key.unwrap(bytes(wrapped), key_id, tenant, member_id))
        known: dict[tuple[str, bytes], int] = {}
        newest: dict[str, int] = {}
        for _, _, name, version, tag in found:
            if name is not None:
                known[name, bytes(tag)] = version
                newest[name] = max(newest.get(name, 0), version)
        standing = {
            name: version
            for name, content in fields.items()
            if (version := known.get((name, seal.tag(name, content)))) is not None
        }
        missing = {name: content for name, content in fields.items() if name not in standing}
        if missing:
            versions = {name: newest.get(name, 0) + 1 for name in missing}
            standing.update(await self.run("add_versions", _rows(seal, missing, versions)))
        return standing


def _rows(seal: MemberSeal, fields: Mapping[str, str], versions: Mapping[str, int]) -> dict[str, Any]:
    return {
        "tenant": seal.tenant,
        "member_id": seal.member_id,
        "fields": list(fields),
        "versions": [versions[name] for name in fields],
        "tags": [seal.tag(name, content) for name, content in fields.items()],
        "sealed": [seal.seal(name, versions[name], content) for name, content in fields.items()],
    }
