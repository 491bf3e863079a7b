"""The state folder: one owner, one format, secrets kept private."""

from pathlib import Path

import pytest

from deploy.local.errors import AlreadyRunningError, LocalStackError
from deploy.local.folder import FORMAT_VERSION, StateFolder


def opened(path: Path) -> StateFolder:
    folder = StateFolder(path)
    folder.open()
    return folder


def test_a_new_folder_gets_a_version_a_clock_and_a_key(tmp_path: Path) -> None:
    folder = opened(tmp_path / "state")
    assert folder.version.read_text() == f"{FORMAT_VERSION}\n"
    assert folder.clock.read_text() == "0\n"
    assert len(bytes.fromhex(folder.master_key.read_text())) == 32
    assert folder.master_key.stat().st_mode & 0o777 == 0o600
    assert folder.secrets.stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_the_key_the_clock_and_the_secrets(tmp_path: Path) -> None:
    folder = opened(tmp_path / "state")
    key, secret = folder.master_key.read_text(), folder.secret("card-api.key")
    folder.clock.write_text("86400\n")
    folder.close()
    again = opened(tmp_path / "state")
    assert (again.master_key.read_text(), again.secret("card-api.key")) == (key, secret)
    assert again.clock.read_text() == "86400\n"


def test_a_folder_in_use_is_refused_with_a_way_out(tmp_path: Path) -> None:
    held = opened(tmp_path / "state")
    with pytest.raises(AlreadyRunningError, match=r"already running.*piperoll down --state"):
        StateFolder(tmp_path / "state").open()
    held.close()
    opened(tmp_path / "state").close()


@pytest.mark.parametrize("text", [f"{FORMAT_VERSION + 1}\n", "0\n", "banana\n", ""])
def test_a_folder_of_an_unknown_format_is_refused(tmp_path: Path, text: str) -> None:
    opened(tmp_path).close()
    (tmp_path / "VERSION").write_text(text)
    folder = StateFolder(tmp_path)
    with pytest.raises(LocalStackError, match="reads format"):
        folder.open()
    assert not folder.is_locked()


def test_a_folder_with_something_else_in_it_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LocalStackError, match=r"not a state folder.*thesis\.txt"):
        StateFolder(tmp_path).open()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalStackError, match="cannot make the state folder"):
        StateFolder(tmp_path / "file" / "state").open()


def test_a_stack_has_the_shards_that_were_asked_for_at_its_first_start_for_life(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    assert (folder.shards(), folder.shards("2")) == (8, 2), "nothing is kept yet"
    folder.keep_shards(2)
    assert (folder.shards(), folder.shards("2")) == (2, 2)
    with pytest.raises(LocalStackError, match=r"made with 2 shards and 4 are asked for.*fixed for life.*--state"):
        folder.shards("4")


def test_a_stack_that_was_made_before_its_shards_were_kept_has_eight(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    folder.postgres.mkdir()
    assert folder.shards() == 8
    with pytest.raises(LocalStackError, match="made with 8 shards and 1 are asked for"):
        folder.shards("1")


@pytest.mark.parametrize("text", ["0", "-1", "257", "2.0", "eight", " 8"])
def test_a_number_of_shards_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(LocalStackError, match=r"PIPEROLL_SHARDS is .* whole number from 1 to 256"):
        opened(tmp_path).shards(text)
