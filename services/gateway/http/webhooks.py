"""The card processor's webhooks: a nudge, never a fact. Verified, noted, answered; its body is kept as a hash only."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from services.gateway.append import Appender
from services.gateway.domain.fields import ACCOUNT_ID
from services.gateway.domain.webhooks import SignatureRefused, check_signature
from services.gateway.http.resources.household import Received
from services.gateway.plan import Wanted
from shared.clock import Clock, rfc3339
from shared.contracts.event import Actor
from shared.contracts.gateway import WebhookReceived
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem
from shared.ids import root_of_key, shard_of, thing_id
from shared.telemetry.metrics import WEBHOOKS

PROVIDER = "card"
OPERATION = "webhooks.cards"
PRINCIPAL = "processor.card"
NEEDED = ("payment_intent.", "charge.dispute.", "refund.")
"""A charge is told by its intent; one that no intent tells is found in the processor's list of events."""


class _Object(msgspec.Struct):
    id: str
    metadata: dict[str, Any] | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


_read = msgspec.json.Decoder(_Event).decode


class CardWebhooks:
    """The handler of /webhooks/cards."""

    def __init__(
        self,
        appender: Appender,
        secrets: Sequence[bytes],
        tenant: str,
        shards: int,
        clock: Clock,
    ) -> None:
        self._appender = appender
        self._secrets = secrets
        self._tenant = tenant
        self._shards = shards
        self._clock = clock

    def _check(self, header: str | None, body: bytes) -> None:
        ahead_s = int(self._clock.offset().total_seconds())
        check_signature(header, body, self._secrets, int(self._clock.now().timestamp()) - ahead_s, ahead_s)

    async def receive(self, call: Call) -> Answer:
        """Commit a nudge and answer 200; kinds that nobody needs are answered and forgotten."""
        header = call.headers.get(b"stripe-signature")
        try:
            self._check(header.decode("latin-1") if header else None, call.body)
        except SignatureRefused as error:
            WEBHOOKS.labels(PROVIDER, str(error)).inc()
            raise Problem(str(error), "Stripe-Signature") from None
        try:
            event = _read(call.body)
        except msgspec.DecodeError as error:
            raise Problem("webhook_invalid") from error
        if not (0 < len(event.id) <= 255 and 0 < len(event.data.object.id) <= 255 and len(event.type) <= 255):
            raise Problem("webhook_invalid")
        if event.type.startswith(NEEDED):
            appended = await self._appender.append(self._wanted(event, call))
            WEBHOOKS.labels(PROVIDER, "repeated" if appended.replayed else "accepted").inc()
        else:
            WEBHOOKS.labels(PROVIDER, "not_needed").inc()
        return answer(Received())

    def _wanted(self, event: _Event, call: Call) -> Wanted:
        """Return the nudge, on the shard of the household that the object's metadata names, else of the object."""
        seen = event.data.object
        metadata = seen.metadata or {}
        account, attempt = metadata.get("account_id"), metadata.get("attempt_id")
        account_id = account if isinstance(account, str) and ACCOUNT_ID.fullmatch(account) else None
        tenant = metadata.get("tenant")
        owner = tenant if account_id and isinstance(tenant, str) and 0 < len(tenant) <= 64 else self._tenant
        shard = shard_of(owner, account_id or seen.id, self._shards)
        root = root_of_key(owner, PRINCIPAL, OPERATION, None, event.id)
        return Wanted(
            shard=shard,
            tenant=owner,
            root=root,
            stream=thing_id("whk", shard, root),
            event=WebhookReceived(
                provider=PROVIDER,
                provider_event_id=event.id,
                kind=event.type,
                object_id=seen.id,
                body_sha256=hashlib.sha256(call.body).hexdigest(),
                account_id=account_id,
                attempt_id=attempt if account_id and isinstance(attempt, str) and len(attempt) <= 64 else None,
                received_at=rfc3339(call.received_at),
            ),
            actor=Actor("processor", PRINCIPAL),
            trace=call.trace,
        )
