"""Where names, addresses and what staff write go, before any event names them; only what staff write is read here."""

from collections.abc import Collection, Mapping
from typing import Protocol

from shared.contracts.gateway import PersonField
from shared.errors import WorldFault
from shared.http.problems import Problem
from shared.people.writer import NOTE

RETRY = ((b"retry-after", b"1"),)
Note = tuple[str, int]
"""Whose a note is, and its version."""


class People(Protocol):
    """The gateway's side of `shared.people`."""

    async def put(self, tenant: str, member_id: str, fields: Mapping[str, str]) -> dict[str, int]:
        """Store contents and return each field's version; the same content again gives the same version."""
        ...

    async def notes(self, tenant: str, wanted: Collection[Note]) -> Mapping[Note, str]:
        """Return the notes that are there; an erased one is not."""
        ...


async def sealed(people: People, tenant: str, member_id: str, fields: Mapping[str, str]) -> tuple[PersonField, ...]:
    """Store a person's fields and return what an event may say of them."""
    try:
        versions = await people.put(tenant, member_id, fields)
    except WorldFault as error:
        raise Problem("people_unavailable", headers=RETRY) from error
    return tuple(PersonField(field=field, version=versions[field]) for field in fields)


async def noted(people: People, tenant: str, member_id: str, note: str | None) -> int:
    """Store what somebody of staff has written and return its version; 0 where it is nothing."""
    if note is None:
        return 0
    (written,) = await sealed(people, tenant, member_id, {NOTE: note})
    return written.version


async def notes_of(people: People, tenant: str, wanted: Collection[Note]) -> Mapping[Note, str]:
    """Return what staff have written, as far as it was not erased."""
    try:
        return await people.notes(tenant, wanted)
    except WorldFault as error:
        raise Problem("people_unavailable", headers=RETRY) from error
