"""Writes docs/openapi.json and docs/errors.md: `python -m services.gateway.http.gen`, or `--check` to compare."""

import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import msgspec

from services.gateway.errors import PROBLEMS, REASONS
from services.gateway.http.openapi import document
from shared.http.problems import Entry

DOCS = Path(__file__).resolve().parents[3] / "docs"


def openapi_json() -> str:
    """Return the OpenAPI document as it is committed."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


def errors_md() -> str:
    """Return the catalogue of errors as a page."""
    lines = [
        "# Errors",
        "",
        "Made from `shared/http/problems.toml` and `services/gateway/errors.toml` by",
        "`python -m services.gateway.http.gen`; do not edit.",
        "",
        "An answer that is no result is a problem document (RFC 9457, `application/problem+json`). `code` is stable,",
        "for programs; `title` says what is wrong and `detail` what to do, in English or Spanish (`Accept-Language`);",
        "`field` is a JSON pointer into the body, or the name of a header or query parameter; `errors` lists all",
        "that is wrong with a body; `trace` finds the request in our logs.",
        "",
        "```json",
        '{"type": "urn:piperoll:problem:amount_not_integer", "status": 422, "code": "amount_not_integer",',
        ' "field": "/amount/minor", "title": "…", "detail": "…", "trace": "4bf92f3577b34da6a3ce929d0e0e4736"}',
        "```",
        "",
        "## Problems, by HTTP status",
    ]
    for status in sorted({int(entry.status) for entry in PROBLEMS.values()}):
        lines += ["", f"### {status} {HTTPStatus(status).phrase}", ""]
        lines += _table({code: entry for code, entry in PROBLEMS.items() if entry.status == status})
    lines += [
        "",
        "## Reasons",
        "",
        "What is `refused`, `declined`, `held`, `cancelled`, `reversed`, `bounced`, `returned` or `ended` exists and",
        "says why in `reason`; a transfer that was returned and a merge that ended give a reason of `refused`. A",
        "decline may have a reason of the processor's own that is not listed: show `card_declined` for it, and",
        "`unknown` for such a reason of a refund that bounced.",
    ]
    for outcome in ("refused", "declined", "held", "cancelled", "reversed", "bounced"):
        lines += ["", f"### {outcome}", ""]
        lines += _table({code: entry for code, entry in REASONS.items() if entry.status == outcome})
    return "\n".join(lines) + "\n"


def _table(entries: Mapping[str, Entry]) -> list[str]:
    lines = ["| code | what is wrong | what to do | in Spanish |", "| --- | --- | --- | --- |"]
    for code, entry in entries.items():
        en, es = entry.words["en"], entry.words["es"]
        lines.append(f"| `{code}` | {en.sentence} | {en.next} | {es.sentence} {es.next} |")
    return lines


FILES: Mapping[str, Callable[[], str]] = {"openapi.json": openapi_json, "errors.md": errors_md}


def differing(folder: Path = DOCS) -> list[str]:
    """Return the names of the files that are not as they would be made."""
    return [
        name
        for name, make in FILES.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` return 1 where one differs."""
    if arguments == ["--check"]:
        wrong = differing()
        for name in wrong:
            print(f"docs/{name} is not what the code says: run python -m services.gateway.http.gen", file=sys.stderr)
        return 1 if wrong else 0
    DOCS.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
