"""What the POSTs have in common: the key's root, the digest, the append, and an answer for a repeat."""

import msgspec

from services.gateway.append import Appender
from services.gateway.http.bodies.parsing import canonical
from services.gateway.http.lookups import Known, Lookups
from services.gateway.plan import Appended, Wanted
from shared.contracts.event import Actor, Event
from shared.http.call import Answer, Call, answer
from shared.ids import Root, digest_of, root_of_key, shard_of

REPLAYED = (b"idempotency-replayed", b"true")


class Keyed(msgspec.Struct, frozen=True):
    """A POST's identity: what its key makes of it, and what tells its repeat from another request."""

    root: Root
    digest: bytes


def keyed(call: Call, operation: str, account_id: str | None, subject: str | None = None) -> Keyed:
    """Return the identity of a POST; a key belongs to a principal, an operation and an account.

    `subject` is the thing that its address names, as much a part of what is asked for as the body.
    """
    principal = call.principal
    root = root_of_key(principal.tenant, principal.id, operation, account_id, call.key())
    named = operation if subject is None else f"{operation} {subject}"
    return Keyed(root, digest_of(named, canonical(call.body)))


class Change(msgspec.Struct, frozen=True):
    """What a request wants done to which thing that is there."""

    operation: str
    subject: str


class Posting:
    """Appends what a POST asks for and remembers that it exists."""

    def __init__(self, appender: Appender, lookups: Lookups, shards: int) -> None:
        self._appender = appender
        self._lookups = lookups
        self._shards = shards

    def shard_of(self, call: Call, account_id: str) -> int:
        """Return the household's shard."""
        return shard_of(call.principal.tenant, account_id, self._shards)

    async def append(
        self,
        call: Call,
        keyed: Keyed,
        shard: int,
        kind: str,
        thing_id: str,
        account_id: str | None,
        event: Event,
        reference: str | None = None,
        change: Change | None = None,
    ) -> Appended:
        """Return where the request stands, once it is committed; errors as the appender's."""
        principal = call.principal
        appended = await self._appender.append(
            Wanted(
                shard=shard,
                tenant=principal.tenant,
                root=keyed.root,
                stream=thing_id,
                event=event,
                actor=Actor(principal.actor_kind, principal.id),
                trace=call.trace,
                digest=keyed.digest,
                kind=kind,
                account_id=account_id,
                reference=reference,
                operation=change.operation if change else None,
                subject=change.subject if change else None,
            )
        )
        if kind != "payment":
            self._lookups.learn(thing_id, Known(principal.tenant, kind, account_id))
        return appended


def posted(resource: object, location: str, *, final: bool, replayed: bool, waited: int = 0) -> Answer:
    """Return 202 while the resource's status is not final, 201 once it is, for a first call and a repeat alike."""
    headers: list[tuple[bytes, bytes]] = [(b"location", location.encode())]
    if replayed:
        headers.append(REPLAYED)
    if waited:
        headers.append((b"preference-applied", b"wait=%d" % waited))
    return answer(resource, 201 if final else 202, headers)
