"""Answers as JSON or CSV, with an ETag; CSV pages say in `Link` where the next one is."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from shared.http.call import JSON, Answer, Call, Headers

CSV = b"text/csv; charset=utf-8; header=present"
CACHE = b"private, no-cache"
_VARY = (b"vary", b"Accept")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_JSON_ONLY = frozenset({b"*/*", b"application/json"})


def wants_csv(call: Call) -> bool:
    """Tell whether `Accept` names CSV and likes it at least as much as JSON."""
    accept = call.headers.get(b"accept")
    if accept is None or accept in _JSON_ONLY:
        return False
    liked = {"text/csv": 0.0, "application/json": 0.0}
    for part in accept[:400].decode("latin-1").lower().split(","):
        kind, _, parameters = part.partition(";")
        if kind.strip() in liked:
            liked[kind.strip()] = _quality(parameters)
    return liked["text/csv"] > 0 and liked["text/csv"] >= liked["application/json"]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def json_answer(call: Call, body: bytes) -> Answer:
    """Return JSON, or 304 where the caller has it already."""
    return _answer(call, body, JSON, ())


def csv_answer(
    call: Call, head: Sequence[str], rows: Iterable[Sequence[object]], next_cursor: str | None = None
) -> Answer:
    """Return CSV (RFC 4180) with a header row, or 304.

    A text that a spreadsheet would take for a formula has an apostrophe before it; numbers stay numbers.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    more: Headers = ()
    if next_cursor is not None:
        query = urlencode({**call.query, "cursor": next_cursor})
        more = ((b"link", f'<?{query}>; rel="next"'.encode()),)
    return _answer(call, text.getvalue().encode(), CSV, more)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value


def _answer(call: Call, body: bytes, content_type: bytes, more: Headers) -> Answer:
    etag = b'"%s"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
    headers = ((b"etag", etag), _VARY, *more)
    known = call.headers.get(b"if-none-match")
    if known is not None and (etag in known or known == b"*"):
        return Answer(304, b"", headers, content_type, CACHE)
    return Answer(200, body, headers, content_type, CACHE)
