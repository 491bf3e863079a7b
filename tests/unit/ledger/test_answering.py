"""CSV: chosen by `Accept`, by RFC 4180, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.http.answering import csv_answer, json_answer, wants_csv
from shared.http.call import NOBODY, Call

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def call(headers: dict[bytes, bytes], **query: str) -> Call:
    return Call(headers, (), query, b"", NOBODY, NOW, "")


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        (None, False), (b"*/*", False), (b"application/json", False), (b"text/csv", True), (b"Text/CSV; q=0.5", True),
        (b"application/json, text/csv", True), (b"application/json, text/csv;q=0.9", False), (b"text/csv;q=0", False),
        (b"text/csv;q=x", False), (b"text/html,*/*;q=0.1", False), (b"text/csv; header=present", True),
    ],
)  # fmt: skip
def test_csv_is_sent_to_who_likes_it_at_least_as_much_as_json(accept: bytes | None, is_csv: bool) -> None:
    assert wants_csv(call({} if accept is None else {b"accept": accept})) is is_csv


@given(st.lists(st.tuples(st.text(), st.integers(), st.none() | st.text()), max_size=20))
def test_what_is_written_is_read_back_and_no_cell_begins_a_formula(rows: list[tuple[str, int, str | None]]) -> None:
    answer = csv_answer(call({}), ("text", "number", "maybe"), rows)

    head, *read = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert head == ["text", "number", "maybe"]
    assert len(read) == len(rows)
    for (text, number, maybe), cells in zip(rows, read, strict=True):
        assert cells[0] in (text, "'" + text)
        assert not cells[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert int(cells[1]) == number
        assert cells[2].removeprefix("'") == (maybe or "").removeprefix("'")


def test_the_next_page_keeps_what_was_asked_for() -> None:
    answer = csv_answer(call({}, account_id="acc_1", cursor="old"), ("a",), [], "new=")

    assert dict(answer.headers)[b"link"] == b'<?account_id=acc_1&cursor=new%3D>; rel="next"'


def test_the_same_answer_has_the_same_tag_and_is_not_sent_twice() -> None:
    first = json_answer(call({}), b"{}")
    tag = dict(first.headers)[b"etag"]

    assert json_answer(call({b"if-none-match": tag}), b"{}").status == 304
    assert json_answer(call({b"if-none-match": b'"other", ' + tag}), b"{}").status == 304
    assert json_answer(call({b"if-none-match": tag}), b"{ }").status == 200
