"""Where a caller is in stories: marks, their text, and what is told after them."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.following import (
    BEGINNING,
    MOST_FOLLOWED,
    SOURCES,
    Marks,
    marks_at,
    marks_text,
    parse_marks,
    told,
)
from shared.ids import Root, account_id

ONE, OTHER = str(account_id(Root(b"1" * 14))), str(account_id(Root(b"2" * 14)))
PLACES = st.tuples(*[st.integers(0, 10**18 - 1)] * 3)


@given(st.dictionaries(st.binary(min_size=14, max_size=14).map(lambda raw: account_id(Root(raw))), PLACES, min_size=1,
                       max_size=5))  # fmt: skip
def test_marks_are_read_as_they_were_written(marks: Marks) -> None:
    assert parse_marks(marks_text(marks)) == marks


def test_the_same_marks_have_one_text() -> None:
    assert marks_text({ONE: (1, 2, 3), OTHER: BEGINNING}) == marks_text({OTHER: BEGINNING, ONE: (1, 2, 3)})


MARK = marks_text({ONE: (1, 2, 3)})


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "1", MARK + ",", MARK + "\n", "," + MARK, f"{MARK},{MARK}", MARK.replace(".1.", ".01."),
        MARK.replace(".1.", ".-1."), MARK.replace(".1.", ".٣."), MARK.rpartition(".")[0], MARK + ".4",
        "acc_" + MARK, MARK.upper().replace(MARK[0].upper(), "U", 1), MARK.replace(".1.", "." + "9" * 19 + "."),
        marks_text({f"acc_{n:023d}": BEGINNING for n in range(MOST_FOLLOWED + 1)}),
    ],
)  # fmt: skip
def test_what_is_no_mark_is_not_read(text: str) -> None:
    assert parse_marks(text) is None


def test_as_many_accounts_as_may_be_followed_are_read() -> None:
    marks = {f"acc_{n:023d}": BEGINNING for n in range(MOST_FOLLOWED)}
    assert parse_marks(marks_text(marks)) == marks


def test_a_mark_moves_for_its_account_and_source_only_and_never_back() -> None:
    marks = told({ONE: BEGINNING, OTHER: BEGINNING}, ONE, "ledger", 7)
    assert marks == {ONE: (0, 7, 0), OTHER: BEGINNING}
    assert told(marks, ONE, "ledger", 5) == marks


def test_a_story_that_is_followed_from_now_begins_after_its_last_facts() -> None:
    ends = [(ONE, "billing", 4), (ONE, "notifier", 2)]
    assert marks_at([ONE, OTHER], ends) == {ONE: (4, 0, 2), OTHER: BEGINNING}


Fact = tuple[str, str, int]


@given(seed=st.integers(0, 2**32), facts=st.integers(1, 40))
def test_whatever_the_sources_order_and_the_breaks_each_fact_is_told_once(seed: int, facts: int) -> None:
    chance = random.Random(seed)
    positions: dict[tuple[str, str], int] = {}
    folded: list[Fact] = []
    got: list[Fact] = []
    marks: Marks = {ONE: BEGINNING, OTHER: BEGINNING}
    last_id = marks_text(marks)
    for _ in range(facts):
        key = chance.choice((ONE, OTHER)), chance.choice(SOURCES)
        positions[key] = positions.get(key, 0) + chance.randint(1, 3)
        folded.append((*key, positions[key]))
        if chance.random() < 0.5:
            continue
        resumed: Any = parse_marks(last_id)
        batch = [fact for fact in folded if fact[2] > resumed[fact[0]][SOURCES.index(fact[1])]]
        for fact in batch[: chance.randint(0, len(batch))]:
            resumed = told(resumed, *fact)
            got.append(fact)
            last_id = marks_text(resumed)
    resumed = parse_marks(last_id)
    got += [fact for fact in folded if fact[2] > resumed[fact[0]][SOURCES.index(fact[1])]]
    assert sorted(got) == sorted(folded)
