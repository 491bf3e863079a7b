"""One request as handlers see it, and one answer as they give it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from shared.auth.roles import Principal
from shared.http.problems import Problem
from shared.http.resource import encode

JSON = b"application/json"
MOST_KEY = 255
MOST_WAIT_S = 30
MOST_QUERY_BYTES = 4_096
NOBODY = Principal("", "", None, frozenset())  # type: ignore[arg-type]  # of public operations, which never look

Headers = Sequence[tuple[bytes, bytes]]


class Call(msgspec.Struct, gc=False):
    """A request that is routed, read, authenticated and within its rate. `params` are the ids in its path, in order.

    `received_at` is when it was read, on the stack's clock; `trace` is its `traceparent`.
    """

    headers: Mapping[bytes, bytes]
    params: Sequence[str]
    query: Mapping[str, str]
    body: bytes
    principal: Principal
    received_at: datetime
    trace: str

    def key(self) -> str:
        """Return the `Idempotency-Key`, bare or as a quoted string; a missing or wrong one raises the Problem."""
        raw = self.headers.get(b"idempotency-key")
        if raw is None:
            raise Problem("idempotency_key_missing", "Idempotency-Key")
        key = raw.decode("latin-1").strip(" \t")
        if len(key) >= 2 and key[0] == key[-1] == '"':
            key = key[1:-1]
        if len(key) > MOST_KEY:
            raise Problem("idempotency_key_too_long", "Idempotency-Key")
        if not key or not (key.isascii() and key.isprintable()):
            raise Problem("idempotency_key_invalid", "Idempotency-Key")
        return key

    def wait_s(self) -> int:
        """Return how long the caller would rather wait (`Prefer: wait=N`), at most 30 s; 0 where it does not say."""
        raw = self.headers.get(b"prefer")
        if raw is None:
            return 0
        for preference in raw.decode("latin-1").split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            if name.strip().lower() == "wait":
                text = value.strip().strip('"')
                if not (text.isascii() and text.isdigit() and len(text) < 6):
                    raise Problem("prefer_invalid", "Prefer")
                return min(int(text), MOST_WAIT_S)
        return 0

    def limit(self, default: int = 50, most: int = 100) -> int:
        """Return the size of a page, 1 to 100."""
        text = self.query.get("limit")
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= most):
            raise Problem("parameter_invalid", "limit")
        return int(text)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What goes back; `headers` are further ones. `cache` says what the caller's side may keep."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: bytes = JSON
    cache: bytes = b"no-store"


class Stream(msgspec.Struct, frozen=True):
    """An answer without an end of its own: `parts` go out as they come; `done` is called once, however it ends."""

    parts: AsyncGenerator[bytes]
    done: Callable[[], None]
    status: int = 200
    content_type: bytes = b"text/event-stream"
    headers: Headers = ()
    cache: bytes = b"no-store"


Handler = Callable[[Call], Awaitable[Answer | Stream]]


def answer(resource: Any, status: int = 200, headers: Headers = ()) -> Answer:
    """Return a resource as JSON."""
    return Answer(status, encode(resource), headers)


def query_of(raw: bytes, known: Sequence[str]) -> Mapping[str, str]:
    """Return the parameters of a query; an unknown, doubled or unreadable one raises the Problem."""
    if not raw:
        return {}
    if len(raw) > MOST_QUERY_BYTES:
        raise Problem("parameter_invalid")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise Problem("parameter_invalid") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise Problem("parameter_unknown", name[:64])
        if name in found or "\x00" in value:
            raise Problem("parameter_invalid", name)
        found[name] = value
    return found
