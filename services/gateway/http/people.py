"""Where names and addresses go, before any event names them."""

from collections.abc import Mapping
from typing import Protocol

from services.gateway.errors import Problem
from shared.contracts.gateway import PersonField
from shared.errors import WorldFault


class People(Protocol):
    """The writing side of `shared.people`."""

    async def put(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        """Store contents and return each field's version; the same content again gives the same version."""
        ...


async def sealed(people: People, tenant: str, member_id: str, fields: Mapping[str, str]) -> tuple[PersonField, ...]:
    """Store a person's fields and return what an event may say of them."""
    try:
        versions = await people.put(tenant, member_id, fields)
    except WorldFault as error:
        raise Problem("people_unavailable", headers=((b"retry-after", b"1"),)) from error
    return tuple(PersonField(field=field, version=versions[field]) for field in fields)
