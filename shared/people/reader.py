"""Reads personal data at the moment at which it is sent."""

from collections.abc import Mapping

from shared.people.database import PeopleDatabase
from shared.people.sealing import Erased, MasterKey, MemberSeal


class PeopleReader(PeopleDatabase):
    """The senders' side. Keeps nothing: an erasure holds from the next read on."""

    def __init__(self, dsn: str, master_key: MasterKey) -> None:
        super().__init__(dsn)
        self._master_key = master_key

    async def get(self, tenant: str, member_id: str, versions: Mapping[str, int]) -> dict[str, str]:
        """Return the content of exactly these fields and versions, in one round trip.

        Errors: Erased where the key was destroyed or a row is missing (a field that the role may not see looks the
        same), WrongMasterKey, StoreDown.
        """
        parameters = {
            "tenant": tenant,
            "member_id": member_id,
            "fields": list(versions),
            "versions": list(versions.values()),
        }
        rows = await self.run("read_fields", parameters)
        if len(rows) != len(versions) or any(row[1] is None for row in rows):
            raise Erased(tenant, member_id)
        if not rows:
            return {}
        key_id, wrapped = rows[0][:2]
        seal = MemberSeal(tenant, member_id, self._master_key.unwrap(bytes(wrapped), key_id, tenant, member_id))
        return {name: seal.open(name, version, bytes(sealed)) for _, _, name, version, sealed in rows}
