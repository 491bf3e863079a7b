"""Problems: what is answered instead of a result, by a code with HTTP status and words in the caller's language.

`problems.toml` holds the codes of any service, a service's `errors.toml` its own. A code is for ever; its sentences may
change.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from shared.errors import BadInput

Language = Literal["en", "es"]


class Words(msgspec.Struct, frozen=True):
    """One sentence that says what is wrong, and one that says what to do next."""

    sentence: str
    next: str


class Entry(msgspec.Struct, frozen=True):
    """A code of the catalogue; `status` is an HTTP status, or the status of a thing whose `reason` it is."""

    code: str
    status: int | str
    words: Mapping[str, Words]


Catalogue = Mapping[str, Entry]
GENERAL = Path(__file__).with_suffix(".toml")


def catalogue(*files: Path, table: str = "problem") -> Catalogue:
    """Return the codes of one table of the files (`problem` or `reason`), in their order."""
    read = [tomllib.loads(file.read_text(encoding="utf-8")).get(table, {}) for file in files]
    return {code: _entry(code, row) for rows in read for code, row in rows.items()}


def _entry(code: str, row: Mapping[str, Any]) -> Entry:
    return Entry(code, row["status"], {"en": Words(row["en"], row["en_next"]), "es": Words(row["es"], row["es_next"])})


class Detail(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `field` is a JSON pointer, or the name of a header or parameter."""

    code: str
    field: str | None = None


class Problem(BadInput):
    """What is answered instead of a result; the first detail rules. The code is one of the service's catalogue.

    `headers` go with the answer; `also` are further things that are wrong with the same body.
    """

    def __init__(
        self,
        code: str,
        field: str | None = None,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        also: Sequence[Detail] = (),
    ) -> None:
        super().__init__(code if field is None else f"{code} at {field}")
        self.code = code
        self.field = field
        self.headers = headers
        self.also = also


class ProblemBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details (RFC 9457); `title` says what is wrong and `detail` what to do, in the member's language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    errors: tuple[Detail, ...] = ()
    trace: str | None = None


def problem_body(problem: Problem, entry: Entry, language: Language, trace: str | None) -> ProblemBody:
    """Return the body of a problem answer; `trace` finds the request in our logs."""
    words = entry.words[language]
    return ProblemBody(
        type=f"urn:piperoll:problem:{problem.code}",
        title=words.sentence,
        status=int(entry.status),
        detail=words.next,
        code=problem.code,
        field=problem.field,
        errors=tuple(problem.also),
        trace=trace,
    )


def language_of(accept_language: bytes | None) -> Language:
    """Return the supported language that an `Accept-Language` likes most; English where it names neither."""
    if not accept_language:
        return "en"
    best: tuple[float, Language] = (0.0, "en")
    for part in accept_language[:200].decode("latin-1").lower().split(","):
        tag, _, weight = part.strip().partition(";")
        primary = tag.partition("-")[0].strip()
        liked = _weight(weight)
        if primary == "es" and liked > best[0]:
            best = (liked, "es")
        elif primary in ("en", "*") and liked > best[0]:
            best = (liked, "en")
    return best[1]


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if not name:
        return 1.0
    try:
        return max(0.0, min(1.0, float(value)))
    except ValueError:
        return 0.0
