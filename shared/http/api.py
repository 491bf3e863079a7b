"""The ASGI application: routes, authenticates, limits, reads, hands on, and turns every failure into a problem."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter, Histogram

from shared.auth.roles import allows
from shared.auth.tokens import Tokens
from shared.clock import Clock
from shared.errors import Conflict, Overloaded, StoreDown, UnknownCommit
from shared.http.buckets import Buckets
from shared.http.call import NOBODY, Answer, Call, Handler, Stream, query_of
from shared.http.cors import Cors
from shared.http.operation import Operation
from shared.http.positions import Place, parse_places
from shared.http.problems import Catalogue, Problem, language_of, problem_body
from shared.http.resource import encode
from shared.http.routes import Routes
from shared.http.streaming import Receive, Send, pour
from shared.telemetry import metrics
from shared.telemetry.logs import logger
from shared.telemetry.tracing import continued

log = logger(__name__)

Scope = MutableMapping[str, Any]

PROBLEM_JSON = b"application/problem+json"
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
)
WITHOUT_BODY = (204, 304)
RETRY = ((b"retry-after", b"1"),)


class Disconnected(Exception):
    """The caller went away before its body was read."""


Reach = Callable[[Sequence[Place], float], Awaitable[None]]
"""Returns when the places are reached; one that was never written, or not within the seconds, raises the Problem."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Requests per minute and principal in one process, how long `min_position` waits, which pages may call us."""

    member_rate_per_min: int
    staff_rate_per_min: int
    min_position_wait_s: float
    cors_origins: Sequence[str] = ()


class Api:
    """One per process. Handlers are found by their operation's id."""

    def __init__(
        self,
        operations: Sequence[Operation],
        handlers: Mapping[str, Handler],
        problems: Catalogue,
        tokens: Tokens,
        reach: Reach,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._handlers = handlers
        self._routes = Routes(operations)
        self._problems = problems
        self._tokens = tokens
        self._reach = reach
        self._clock = clock
        self._cors = Cors(limits.cors_origins)
        self._buckets = Buckets(clock.monotonic)
        self._staff_rate, self._member_rate = limits.staff_rate_per_min, limits.member_rate_per_min
        self._position_wait_s = limits.min_position_wait_s
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; websockets and lifespans are none of ours."""
        if scope["type"] != "http":
            return
        started = self._clock.monotonic()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        trace = continued(_text(headers.get(b"traceparent"))).header()
        method, path = scope["method"], scope["path"]
        operation: Operation | None = None
        answer: Answer | Stream
        try:
            if method == "OPTIONS":
                answer = self._cors.preflight(self._routes.methods(path)[0], headers)
            else:
                operation, params = self._routes.find(method, path)
                if operation.keyed and sum(name == b"idempotency-key" for name, _ in scope["headers"]) > 1:
                    raise Problem("idempotency_key_repeated", "Idempotency-Key")
                answer = await self._answer(operation, params, scope["query_string"], headers, receive, trace)
        except Disconnected:
            return
        except Problem as problem:
            answer = self._refused(problem, headers, trace)
        except Exception as error:
            answer = self._refused(_problem_of(error, path, trace), headers, trace)
        route = operation.path if operation is not None else "none"
        measured = method if operation else "other", route, answer.status
        if isinstance(answer, Stream):
            self._measure(*measured, self._clock.monotonic() - started)
            await self._stream(answer, headers.get(b"origin"), receive, send, with_body=method != "HEAD")
            return
        await self._send(send, answer, headers.get(b"origin"), with_body=method != "HEAD")
        self._measure(*measured, self._clock.monotonic() - started)

    async def _answer(
        self,
        operation: Operation,
        params: Any,
        raw_query: bytes,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        trace: str,
    ) -> Answer | Stream:
        received_at = self._clock.now()
        principal = NOBODY
        if operation.permission is not None:
            authorization = headers.get(b"authorization")
            known = self._tokens.known(authorization) if authorization else None
            principal = known or await self._tokens.verify(authorization)
            rate = self._staff_rate if principal.is_staff else self._member_rate
            due_s = self._buckets.take(principal.id, rate)
            if due_s:
                raise Problem("rate_limited", headers=((b"retry-after", b"%d" % due_s),))
            if not allows(principal.role, operation.permission):
                raise Problem("role_not_allowed")
        query = query_of(raw_query, [one.name for one in operation.parameters]) if raw_query else {}
        body = b""
        if operation.method == "POST":
            if not _is_json(headers.get(b"content-type")):
                raise Problem("content_type_unsupported", "Content-Type")
            body = await _read_body(receive, headers, operation.most_bytes)
        call = Call(headers, params, query, body, principal, received_at, trace)
        if "min_position" in query:
            wanted = parse_places(query["min_position"])
            if wanted is None:
                raise Problem("position_invalid", "min_position")
            await self._reach(wanted, self._position_wait_s)
        return await self._handlers[operation.id](call)

    def _refused(self, problem: Problem, headers: Mapping[bytes, bytes], trace: str) -> Answer:
        metrics.HTTP_PROBLEMS.labels(problem.code).inc()
        language = language_of(headers.get(b"accept-language"))
        body = problem_body(problem, self._problems[problem.code], language, trace.split("-")[1])
        more = ((b"content-language", language.encode()), (b"vary", b"Accept-Language"))
        return Answer(body.status, encode(body), (*problem.headers, *more), PROBLEM_JSON)

    async def _send(self, send: Send, answer: Answer, origin: bytes | None, *, with_body: bool) -> None:
        headers = self._head(answer, origin)
        if answer.status not in WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body if with_body else b""})

    async def _stream(
        self, stream: Stream, origin: bytes | None, receive: Receive, send: Send, *, with_body: bool
    ) -> None:
        try:
            head = self._head(stream, origin)
            await send({"type": "http.response.start", "status": stream.status, "headers": head})
            if with_body:
                await pour(stream.parts, receive, send)
            else:
                await send({"type": "http.response.body", "body": b""})
        finally:
            stream.done()

    def _head(self, answer: Answer | Stream, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        headers = [(b"content-type", answer.content_type), (b"cache-control", answer.cache), *SECURITY, *answer.headers]
        if self._cors.active:
            headers.extend(self._cors.of_answer(origin))
        return headers

    def _measure(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        found = self._counters.get(key)
        if found is None:
            found = (
                metrics.HTTP_REQUESTS.labels(method, route, str(status)),
                metrics.HTTP_SECONDS.labels(method, route),
            )
            self._counters[key] = found
        found[0].inc()
        found[1].observe(seconds)


async def _read_body(receive: Receive, headers: Mapping[bytes, bytes], most: int) -> bytes:
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 12 or int(declared) > most:
        raise Problem("body_too_large")
    message = await receive()
    body: bytes = message.get("body", b"")
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        if len(body) > most:
            raise Problem("body_too_large")
        if not message.get("more_body", False):
            return body
        message = await receive()
        body += message.get("body", b"")


def _is_json(content_type: bytes | None) -> bool:
    if content_type == b"application/json":
        return True
    kind, _, parameters = (content_type or b"").partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"")
    return kind.strip().lower() == b"application/json" and charset in (b"", b"charset=utf-8")


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def _problem_of(error: Exception, path: str, trace: str) -> Problem:
    """Return what is said of an error that is no Problem; a fault of ours is logged and not explained."""
    match error:
        case Conflict():
            return Problem("idempotency_key_reused", "Idempotency-Key")
        case Overloaded():
            return Problem("overloaded", headers=((b"retry-after", b"%d" % error.retry_after_s),))
        case UnknownCommit():
            return Problem("commit_unknown", headers=RETRY)
        case StoreDown():
            log.warning("store_down", error=str(error))
            return Problem("store_unavailable", headers=RETRY)
        case _:
            log.error("request_failed", path=path, trace=trace, error=repr(error), exc_info=error)
            return Problem("fault")
