"""Lists, newest first, a page at a time; single objects as bytes; and what `expand` puts in place of ids."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from deploy.simulators.card.desk import Desk
from deploy.simulators.card.errors import ApiError, invalid_request, missing
from deploy.simulators.card.form import Parameters, Span
from deploy.simulators.card.objects import Decision, Page
from deploy.simulators.card.store import SqlValue

PAGING = frozenset({"limit", "starting_after", "ending_before", "created", "expand"})
DEEPEST_EXPAND = 4
EXPANDABLE = {
    "payment_intent": frozenset({"latest_charge"}),
    "charge": frozenset({"balance_transaction", "payment_intent"}),
    "refund": frozenset({"balance_transaction", "failure_balance_transaction", "charge", "payment_intent"}),
    "balance_transaction": frozenset({"source"}),
    "dispute": frozenset({"charge", "payment_intent"}),
}


class ListAsk(Struct, frozen=True, kw_only=True):
    """Which objects, narrowed by equal columns (`intent`, `source`, `type`), by time, and to one page."""

    kind: str
    url: str
    limit: int
    starting_after: str | None
    ending_before: str | None
    created: Span
    equals: dict[str, tuple[str, ...]] = {}


def read_list(parameters: Parameters, kind: str, url: str, equals: dict[str, tuple[str, ...]]) -> ListAsk:
    limit = parameters.integer("limit", 1, 100)
    return ListAsk(
        kind=kind,
        url=url,
        limit=10 if limit is None else limit,
        starting_after=parameters.text("starting_after"),
        ending_before=parameters.text("ending_before"),
        created=parameters.span("created"),
        equals={column: values for column, values in equals.items() if values},
    )


def run_list(desk: Desk, ask: ListAsk) -> Decision:
    """Return one page; a page before a cursor is read backwards and turned round."""
    where, values = ["kind = ?"], [ask.kind]  # type: tuple[list[str], list[SqlValue]]
    for column, texts in ask.equals.items():
        where.append(f"{column} IN ({', '.join('?' * len(texts))})")
        values += texts
    for sign, second in ((">=", ask.created.first), ("<=", ask.created.last)):
        if second is not None:
            where.append(f"created {sign} ?")
            values.append(second)
    backwards = ask.ending_before is not None
    for sign, param, cursor in (("<", "starting_after", ask.starting_after), (">", "ending_before", ask.ending_before)):
        if cursor is not None:
            where.append(f"(created, seq) {sign} (?, ?)")
            values += _place(desk, ask.kind, param, cursor)
    order = "created ASC, seq ASC" if backwards else "created DESC, seq DESC"
    sql = f"SELECT data FROM object WHERE {' AND '.join(where)} ORDER BY {order} LIMIT ?"  # noqa: S608 - columns are ours, values are bound
    found = [bytes_of(row[0]) for row in desk.store.rows(sql, *values, ask.limit + 1)]
    has_more = len(found) > ask.limit
    page = found[: ask.limit]
    if backwards:
        page.reverse()
    data = tuple(Raw(as_read(ask.kind, each, desk.moment.now)) for each in page)
    return Decision(answer=Page(url=ask.url, has_more=has_more, data=data))


def _place(desk: Desk, kind: str, param: str, object_id: str) -> tuple[SqlValue, ...]:
    rows = desk.store.rows("SELECT created, seq FROM object WHERE id = ? AND kind = ?", object_id, kind)
    if not rows:
        raise missing(kind, object_id, param, 400)
    return rows[0]


def run_retrieve(desk: Desk, kind: str, object_id: str, param: str) -> Decision:
    """Return one object just as it is stored."""
    found = desk.store.find(object_id)
    if found is None or found.kind != kind:
        raise missing(kind, object_id, param)
    return Decision(answer=Raw(as_read(kind, found.data, desk.moment.now)))


def bytes_of(value: SqlValue) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"not stored as bytes: {value!r}")
    return value


def as_read(kind: str, data: bytes, now: int) -> bytes:
    """Return an object's bytes with what time alone has changed."""
    if kind != "balance_transaction":
        return data
    line = msgspec.json.decode(data)
    line["status"] = "available" if line["available_on"] <= now else "pending"
    return msgspec.json.encode(line)


def expand(desk: Desk, body: bytes, paths: tuple[str, ...]) -> bytes:
    """Return an answer with the objects that `paths` name in place of their ids."""
    answer = msgspec.json.decode(body)
    for path in paths:
        parts = path.split(".")
        if answer.get("object") == "list" and parts[0] == "data" and len(parts) > 1:
            for each in answer["data"]:
                _expand(desk, each, parts[1:], path)
        else:
            _expand(desk, answer, parts, path)
    return msgspec.json.encode(answer)


def _expand(desk: Desk, inside: dict[str, Any], parts: list[str], path: str) -> None:
    name, rest = parts[0], parts[1:]
    if name not in EXPANDABLE.get(inside.get("object", ""), ()) or len(parts) > DEEPEST_EXPAND:
        text = f"This property cannot be expanded ({path})."
        raise ApiError(invalid_request(text, param="expand"))
    value = inside[name]
    if isinstance(value, str):
        found = desk.store.find(value)
        if found is not None:
            value = inside[name] = msgspec.json.decode(as_read(found.kind, found.data, desk.moment.now))
    if rest and isinstance(value, dict):
        _expand(desk, value, rest, path)
