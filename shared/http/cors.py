"""Which pages may call us from a browser: an allow-list of origins, and nobody where it is empty."""

from collections.abc import Mapping, Sequence

from shared.http.call import Answer, Headers
from shared.http.operation import Operation
from shared.http.problems import Problem
from shared.http.routes import allowed

_REQUEST_HEADERS = b"authorization, content-type, idempotency-key, prefer, traceparent, accept-language, last-event-id"
_EXPOSED = b"location, idempotency-replayed, preference-applied, retry-after"
MAX_AGE_S = b"600"


class Cors:
    """Answers preflights and marks answers. No credentials besides the token that the page itself sends."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self.active = bool(self._origins)

    def of_answer(self, origin: bytes | None) -> Headers:
        """Return the headers of an answer to a page of this origin."""
        vary = (b"vary", b"Origin")
        if origin is None or origin not in self._origins:
            return (vary,)
        return (vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED))

    def preflight(self, methods: Mapping[str, Operation], headers: Mapping[bytes, bytes]) -> Answer:
        """Return the answer to OPTIONS; a page of a strange origin gets the Problem."""
        allow = (b"allow", allowed(methods))
        if b"origin" not in headers:
            return Answer(204, b"", (allow,))
        if headers[b"origin"] not in self._origins:
            raise Problem("origin_not_allowed", "Origin")
        more = (
            allow,
            (b"access-control-allow-methods", allowed(methods)),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", MAX_AGE_S),
        )
        return Answer(204, b"", more)
