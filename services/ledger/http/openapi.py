"""The OpenAPI document of the ledger's HTTP."""

from typing import Any

from services.ledger.errors import PROBLEMS
from services.ledger.http.operations import OPERATIONS
from shared.http.openapi import document as document_of

_INFO = {
    "title": "Piperoll ledger",
    "version": "1",
    "summary": "The books: balances, entries, statements and trial balances",
    "description": "For finance, auditors and operators; members have no access. Money is whole minor units (cents). "
    "Lists are read page by page: `next` is the `cursor` of the page after. With `Accept: text/csv` an answer is CSV "
    "(RFC 4180) with a header row, and the next page is in `Link`.",
}
_ACCEPT = {
    "name": "Accept",
    "in": "header",
    "description": "`text/csv` for CSV; else JSON",
    "schema": {"type": "string", "examples": ["text/csv"]},
}
_KNOWN = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an answer that is here already: 304 where it still is the answer",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    made = document_of(OPERATIONS, PROBLEMS, _INFO)
    for path in made["paths"].values():
        for operation in path.values():
            operation["parameters"] += [_ACCEPT, _KNOWN]
            operation["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
            operation["responses"]["304"] = {"description": "What is here already is the answer"}
    return made
