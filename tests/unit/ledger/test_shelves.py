"""A map that grows for life and is cheap to copy."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.shelves import SHELF_SIZE, Shelves


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 150), st.integers(-2, 2)), max_size=300))
def test_it_holds_what_a_plain_map_holds(puts: list[tuple[int, int]]) -> None:
    shelves: Shelves[int] = Shelves()
    plain: dict[str, int] = {}
    for name, value in puts:
        shelves = shelves.put(str(name), value)
        plain[str(name)] = value
        assert shelves.find(str(name)) == (value or None)
    left = {name: value for name, value in plain.items() if value}
    assert dict(shelves.items()) == left
    assert len(list(shelves.items())) == len(left)
    assert shelves.find("never") is None


def test_what_was_there_before_a_change_stays_as_it_was() -> None:
    before: Shelves[int] = Shelves()
    for number in range(SHELF_SIZE + 5):
        before = before.put(str(number), 7)
    before.put("0", -1).put("new", 1)

    assert before.find("0") == 7
    assert before.find("new") is None


def test_a_change_copies_little_however_much_is_there() -> None:
    """Names copied per change, over a thousand changes of a map with a hundred thousand names."""
    shelves = Shelves({str(number): number for number in range(100_000)})
    copied = 0
    for number in range(1000):
        after = shelves.put(f"new {number}", number)
        copied += len(after.new) + (len(after.old) if after.old is not shelves.old else 0)
        shelves = after

    assert copied / 1000 < 600


def test_what_has_become_nothing_takes_no_room() -> None:
    shelves: Shelves[int] = Shelves()
    for number in range(10 * SHELF_SIZE):
        shelves = shelves.put(str(number), 1).put(str(number), 0)

    assert len(shelves.old) + len(shelves.new) <= 2 * SHELF_SIZE
