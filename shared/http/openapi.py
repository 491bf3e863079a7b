"""OpenAPI 3.1 documents: made from a service's operations, bodies, resources and catalogue of errors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema

from shared.auth.roles import Permission, Role, allows
from shared.http.operation import Operation, Parameter
from shared.http.problems import Catalogue, ProblemBody

Json = dict[str, Any]

REF = "#/components/schemas/{name}"
OF_ALL = ("route_unknown", "method_not_allowed", "fault")
AUTHENTICATED = (
    "identity_unavailable",
    "role_not_allowed",
    "rate_limited",
    "store_unavailable",
)
_ID = re.compile(r"\{(\w+)\}")
_HEADERS: Mapping[str, Json] = {
    "Location": {"description": "Address of the resource", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where this key stood for the resource before",
        "schema": {"const": "true"},
    },
    "Preference-Applied": {"description": "How long we would have waited", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until a repeat has a chance", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to authenticate (RFC 6750)", "schema": {"type": "string"}},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "1 to 255 printable ASCII characters, of your own making; the same when you repeat the request. "
    "A key belongs to its principal, operation and account.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N`: answer when the outcome is known, after at most N (up to 30) seconds",
    "schema": {"type": "string", "examples": ["wait=5"]},
}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "Language of a problem's sentences: `en` or `es`",
    "schema": {"type": "string"},
}
_LAST_EVENT = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that was read: what came after it is told first, once each. Without it "
    "the stream begins now",
    "schema": {"type": "string"},
}
_STREAM = {
    "type": "string",
    "description": "Server-sent events. `event` is the type of a fact, `data` a HistoryItem as JSON, `id` where to go "
    "on. A comment comes where nothing else does for 15 s; the stream ends with the token: come back with a new one",
}


def document(operations: Sequence[Operation], problems: Catalogue, info: Json) -> Json:
    """Return the whole document; `info` is its `info`, without the licence."""
    shown = [operation for operation in operations if operation.documented]
    return {
        "openapi": "3.1.0",
        "info": {**info, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": _paths(shown, problems),
        "components": {
            "schemas": _schemas(shown),
            "headers": dict(_HEADERS),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the identity provider: RS256 or ES256, audience `piperoll`, claims "
                    "`tenant`, `role` and `accounts`",
                }
            },
        },
    }


def _paths(operations: Sequence[Operation], problems: Catalogue) -> Json:
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, problems)
    return paths


def _operation(operation: Operation, problems: Catalogue) -> Json:
    made: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "security": [{"bearer": []}] if operation.permission is not None else [],
        "parameters": _parameters(operation),
        "responses": _responses(operation, problems),
    }
    if operation.permission is not None:
        made["description"] = f"Roles: {', '.join(_roles(operation.permission))}."
    if operation.body is not None:
        made["requestBody"] = _json_body(REF.format(name=operation.body.__name__))
    return made


def _roles(permission: Permission) -> list[str]:
    return [role.value for role in Role if allows(role, permission)]


def _parameters(operation: Operation) -> list[Json]:
    made: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _ID.findall(operation.path)
    ]
    made += [_query(parameter) for parameter in operation.parameters]
    if operation.keyed:
        made += [_KEY, _PREFER]
    if operation.stream:
        made.append(_LAST_EVENT)
    return [*made, _LANGUAGE]


def _query(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
    }


def _json_body(ref: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": ref}}}}


def _responses(operation: Operation, problems: Catalogue) -> Json:
    made: Json = {}
    for status, resource in operation.answers.items():
        answer: Json = {
            "description": {200: "As it is", 201: "It exists, and its outcome is final", 202: "Committed"}[status],
            "content": {"application/json": {"schema": {"$ref": REF.format(name=resource.__name__)}}},
        }
        if operation.stream:
            answer["content"] = {"text/event-stream": {"schema": _STREAM}}
        if operation.keyed:
            answer["headers"] = _header_refs("Location", "Idempotency-Replayed", "Preference-Applied")
        made[str(status)] = answer
    for status, codes in sorted(_by_status(_codes(operation, problems), problems).items()):
        made[str(status)] = _problem(status, codes, problems)
    return made


def _codes(operation: Operation, problems: Catalogue) -> list[str]:
    of_tokens = (code for code in problems if code.startswith("token_"))
    shared = (*of_tokens, *AUTHENTICATED) if operation.permission is not None else ("store_unavailable",)
    return list(dict.fromkeys((*operation.problems, *shared, *OF_ALL)))


def _by_status(codes: Sequence[str], problems: Catalogue) -> dict[int, list[str]]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(int(problems[code].status), []).append(code)
    return by_status


def _problem(status: int, codes: Sequence[str], problems: Catalogue) -> Json:
    answer: Json = {
        "description": "; ".join(f"`{code}`: {problems[code].words['en'].sentence}" for code in codes),
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [{"$ref": REF.format(name="Problem")}],
                    "properties": {"code": {"enum": sorted(codes)}},
                }
            }
        },
    }
    if status in (429, 503):
        answer["headers"] = _header_refs("Retry-After")
    if status == 401:
        answer["headers"] = _header_refs("WWW-Authenticate")
    return answer


def _header_refs(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(operations: Sequence[Operation]) -> Json:
    bodies = [operation.body for operation in operations if operation.body is not None]
    _, of_bodies = models_json_schema(
        [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
    )
    answered = {resource for operation in operations for resource in operation.answers.values()}
    resources = sorted(answered, key=lambda resource: resource.__name__)
    _, of_answers = msgspec.json.schema_components(resources, ref_template=REF)
    _, of_problems = msgspec.json.schema_components([ProblemBody], ref_template=REF)
    for schema in of_answers.values():
        if schema.get("type") == "object":
            _always_whole(schema)
    of_problems["Problem"] = {**of_problems.pop("ProblemBody"), "title": "Problem"}
    return dict(sorted({**of_bodies.get("$defs", {}), **of_answers, **of_problems}.items()))


def _always_whole(schema: Json) -> None:
    """Say that an answer has all its fields: defaults are sent, and only what may be UNSET is left out."""
    fields, required = schema["properties"], schema.get("required", ())
    schema["required"] = [name for name, field in fields.items() if name in required or "default" in field]
    for field in schema["properties"].values():
        field.pop("default", None)
