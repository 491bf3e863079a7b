"""The way of one call: key, URL, parameters, idempotency key, fault, execution, commit, answer."""

import asyncio
import hashlib
import secrets
from typing import Any

import msgspec
from msgspec import Struct

from deploy.simulators.card import errors, expand, lists
from deploy.simulators.card.calls import routes
from deploy.simulators.card.desk import AnyCall, Desk
from deploy.simulators.card.errors import ApiError
from deploy.simulators.card.faults import Fault, Faults, When, twist
from deploy.simulators.card.form import Parameters
from deploy.simulators.card.intents import Confirm, Create
from deploy.simulators.card.journal import Journal
from deploy.simulators.card.objects import Decision, Refusal
from deploy.simulators.card.settings import Current
from deploy.simulators.card.store import Store

KEYS_KEPT_S = 24 * 3_600
LONGEST_KEY = 255
HELD = "held"
_KEEP = "INSERT OR REPLACE INTO idempotency (key, digest, status, body, created) VALUES (?, ?, ?, ?, ?)"


class Request(Struct, frozen=True):
    """A call as it came in; a held one is stored so."""

    method: str
    path: str
    query: str
    authorization: str
    key: str | None
    body: bytes


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    request_id: str
    replayed: bool = False


class Ready(Struct, frozen=True):
    """A call whose parameters are valid."""

    call: AnyCall
    object_id: str
    ask: Any
    parameters: Parameters
    request: Request
    request_id: str
    digest: bytes

    @property
    def key(self) -> str | None:
        return self.request.key if self.request.method == "POST" else None


class Api:
    def __init__(
        self, store: Store, journal: Journal, faults: Faults, current: Current, api_key: str, site: str
    ) -> None:
        self._store, self._journal, self._faults, self._current = store, journal, faults, current
        self._api_key, self._site = api_key, site
        self._in_flight: set[str] = set()

    async def handle(self, request: Request, *, was_held: bool = False) -> Answer | None:
        """Return the answer, on record before it is given; None drops the connection."""
        request_id = f"req_{secrets.token_hex(7)}"
        try:
            self._authenticate(request.authorization)
            ready = _read(request, request_id)
            kept = self._kept(ready)
            fault = None if was_held or not self._faults.pending else self._meet(ready, kept is not None)
            answer = await self._run(ready, kept, fault)
        except ApiError as error:
            answer = _refused(error.refusal, request_id)
        await self._store.committed()
        return answer

    def _authenticate(self, authorization: str) -> None:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise errors.no_key()
        if not secrets.compare_digest(key.encode(), self._api_key.encode()):
            raise errors.wrong_key(key)

    def _kept(self, ready: Ready) -> Answer | None:
        """Return the answer kept under the call's key; 409 while the first is under way, 400 for another call."""
        key = ready.key
        if key is None:
            return None
        if key in self._in_flight:
            raise errors.key_in_use(key)
        sql = "SELECT digest, status, body FROM idempotency WHERE key = ? AND created > ?"
        rows = self._store.rows(sql, key, int(self._journal.seconds()) - KEYS_KEPT_S)
        if not rows:
            return None
        digest, status, body = rows[0]
        if digest != ready.digest:
            raise errors.key_used_otherwise(key)
        assert isinstance(status, int)
        return Answer(status, lists.bytes_of(body), ready.request_id, replayed=True)

    def _meet(self, ready: Ready, is_replay: bool) -> Fault | None:
        match ready.ask:
            case Confirm() | Create(confirm=Confirm()):
                when: When = "confirming"
            case _:
                when = "first"
        fields = ready.parameters.fields
        about = ready.object_id or fields.get("payment_intent") or fields.get("charge")
        found = self._store.find(about) if isinstance(about, str) and about else None
        side = msgspec.json.decode(found.data) if found else {}
        return self._faults.meet(ready.call.name, "replay" if is_replay else when, fields, side)

    async def _run(self, ready: Ready, kept: Answer | None, fault: Fault | None) -> Answer | None:
        match fault.kind if fault else None:
            case "request_lost":
                return None
            case "hold" if fault:
                self._journal.add_timer(fault.seconds, HELD, msgspec.json.encode(ready.request))
                return None
            case "error_409":
                return _refused(errors.lock_timeout(), ready.request_id)
            case "error_429":
                return _refused(errors.too_many_requests(), ready.request_id)
            case "slow" if fault:
                await self._wait(ready.key, fault.seconds)
                return self._kept(ready) or self._execute(ready, fault)
            case "answer_lost":
                if kept is None:
                    self._execute(ready, fault)
                return None
            case _:
                return kept or self._execute(ready, fault)

    async def _wait(self, key: str | None, seconds: float) -> None:
        if key is None:
            await asyncio.sleep(seconds)
            return
        self._in_flight.add(key)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._in_flight.discard(key)

    def _execute(self, ready: Ready, fault: Fault | None) -> Answer:
        """Decide and write; what is answered is kept under the key, refusals and a 500 too."""
        moment = self._journal.moment()
        desk = Desk(self._store, self._current.terms, self._site, moment, twist(fault))
        kind = fault.kind if fault else None
        if kind == "error_500":
            decision = Decision(answer=errors.broken())
        else:
            try:
                decision = ready.call.run(desk, ready.ask)
            except ApiError as error:
                decision = Decision(answer=error.refusal)
        status, body = self._journal.record(decision, ready.request_id, ready.key)
        if status == 200 and "expand" in ready.parameters.fields:
            body = expand.expand(desk, body, ready.parameters.texts("expand"))
        if kind == "error_500_after":
            status, body = 500, msgspec.json.encode({"error": errors.broken().problem})
        if ready.key is not None:
            self._store.write(_KEEP, ready.key, ready.digest, status, body, moment.now)
        return Answer(status, body, ready.request_id)


def _read(request: Request, request_id: str) -> Ready:
    call, object_id = routes.find(request.method, request.path)
    text = request.body.decode(errors="replace") if request.method == "POST" else request.query
    parameters = Parameters(text)
    if request.key is not None and not 0 < len(request.key) <= LONGEST_KEY:
        raise errors.Invalid(f"An idempotency key has 1 to {LONGEST_KEY} characters.")
    ask = call.read(parameters, object_id)
    expand.check(call, parameters.texts("expand"))
    pairs = "\0".join(f"{name}={value}" for name, value in sorted(parameters.pairs))
    digest = hashlib.sha256(f"{request.path}\0{pairs}".encode()).digest()
    return Ready(call, object_id, ask, parameters, request, request_id, digest)


def _refused(refusal: Refusal, request_id: str) -> Answer:
    return Answer(refusal.status, msgspec.json.encode({"error": refusal.problem}), request_id)
