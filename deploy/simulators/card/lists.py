"""Lists, newest first, a page at a time; and single objects as bytes."""

import msgspec
from msgspec import Raw, Struct

from deploy.simulators.card.desk import Desk
from deploy.simulators.card.errors import missing
from deploy.simulators.card.form import Parameters, Span
from deploy.simulators.card.objects import Decision, Page
from deploy.simulators.card.store import SqlValue

PAGING = frozenset({"limit", "starting_after", "ending_before", "created", "expand"})


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
