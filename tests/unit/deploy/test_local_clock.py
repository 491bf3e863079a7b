"""The stack's clock only grows, by spans a person can write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.errors import LocalStackError
from deploy.local.folder import StateFolder
from deploy.local.stack_clock import advance, read_s, span_s
from shared.clock import StackClock


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("12h", 43_200), ("3d", 259_200), ("1d12h", 129_600), ("0s", 0)]
)
def test_a_span_is_read(text: str, seconds: int) -> None:
    assert span_s(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "3 d", "1.5d", "3w", "3dd", "3D"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(LocalStackError, match="no span of time"):
        span_s(text)


@given(st.lists(st.integers(0, 10**6), max_size=5))
def test_spans_add_up(parts: list[int]) -> None:
    assert sum(span_s(f"{part}s") for part in parts) == sum(parts)


def test_the_clock_grows_and_services_see_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.open()
    assert read_s(folder) == 0
    assert advance(folder, 3600) == 3600
    assert advance(folder, 60) == 3660
    assert StackClock(folder.clock).offset().total_seconds() == 3660


def test_a_folder_that_is_no_state_folder_has_no_clock(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="no state folder"):
        advance(StateFolder(tmp_path / "nowhere"), 1)
