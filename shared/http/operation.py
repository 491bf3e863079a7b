"""What an operation is: routing, rights, limits and the OpenAPI document are made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.auth.roles import Permission

MOST_BODY_BYTES = 64 * 1024


@dataclass(frozen=True)
class Parameter:
    """A query parameter and its schema."""

    name: str
    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Operation:
    """One method of one address. Without a permission it is public; `problems` are codes besides those of all.

    `path` is a template: each `{…}` is one id, given to the handler in order. `answers` maps a status to its resource;
    a `stream` has it as the data of each event.
    """

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, type]
    permission: Permission | None = None
    body: type | None = None
    parameters: Sequence[Parameter] = ()
    problems: Sequence[str] = ()
    most_bytes: int = MOST_BODY_BYTES
    documented: bool = True
    stream: bool = False

    @property
    def keyed(self) -> bool:
        """Whether it needs an `Idempotency-Key`."""
        return self.body is not None


MIN_POSITION = Parameter(
    "min_position",
    "Answer only what is at least this new: `position` of an answer before, several by commas. Waits up to 5 s",
    {"type": "string", "examples": ["gateway.3.17", "billing.3.40,ledger.3.55"]},
)
CURSOR = Parameter("cursor", "`next` of the page before")
LIMIT = Parameter("limit", "Items on a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50})

_POSITION = ("position_invalid", "position_ahead", "position_not_reached", "parameter_unknown", "parameter_invalid")


def get(
    id: str,
    path: str,
    summary: str,
    answer: type,
    problems: Sequence[str],
    *more: Parameter,
    permission: Permission = Permission.READ,
) -> Operation:
    """Return a GET that takes `min_position`."""
    return Operation(
        id,
        "GET",
        path,
        summary,
        {200: answer},
        permission,
        parameters=(MIN_POSITION, *more),
        problems=(*problems, *_POSITION, *(("cursor_invalid",) if CURSOR in more else ())),
    )
