"""Personal data: what is sealed opens only where it belongs, under the keys that the file holds."""

from pathlib import Path

import pytest

from shared.people.sealing import MasterKey, MemberSeal, WrongMasterKey, new_data_key

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
MEMBER = ("demo", "mem_1")


def seal_of(member_id: str = "mem_1", data_key: bytes = OLD) -> MemberSeal:
    return MemberSeal("demo", member_id, data_key)


def test_a_sealed_value_opens_again() -> None:
    assert seal_of().open("name", 1, seal_of().seal("name", 1, "Zoë")) == "Zoë"


def test_a_sealed_value_does_not_show_its_content() -> None:
    assert b"Zo" not in seal_of().seal("name", 1, "Zoe")


def test_one_content_is_sealed_differently_each_time() -> None:
    assert seal_of().seal("name", 1, "Zoe") != seal_of().seal("name", 1, "Zoe")


@pytest.mark.parametrize(
    ("member_id", "name", "version"), [("mem_2", "name", 1), ("mem_1", "email", 1), ("mem_1", "name", 2)]
)
def test_a_sealed_value_moved_to_another_row_does_not_open(member_id: str, name: str, version: int) -> None:
    sealed = seal_of().seal("name", 1, "Zoe")
    with pytest.raises(WrongMasterKey, match=member_id):
        seal_of(member_id).open(name, version, sealed)


def test_equal_content_has_one_tag_per_field_and_member_key() -> None:
    assert seal_of().tag("name", "Zoe") == seal_of().tag("name", "Zoe")
    others = {seal_of().tag("email", "Zoe"), seal_of().tag("name", "Zoé"), seal_of(data_key=NEW).tag("name", "Zoe")}
    assert seal_of().tag("name", "Zoe") not in others


def test_a_wrapped_key_comes_back() -> None:
    master, data_key = MasterKey.of([OLD]), new_data_key()
    assert master.unwrap(master.wrap(data_key, *MEMBER), master.id, *MEMBER) == data_key


def test_after_a_rotation_old_members_keys_still_unwrap_and_new_ones_are_wrapped_by_the_new_key() -> None:
    before, after = MasterKey.of([OLD]), MasterKey.of([NEW, OLD])
    assert after.unwrap(before.wrap(OLD, *MEMBER), before.id, *MEMBER) == OLD
    assert after.id == MasterKey.of([NEW]).id


def test_a_key_wrapped_by_a_key_that_the_file_lacks_is_our_fault() -> None:
    before, after = MasterKey.of([OLD]), MasterKey.of([NEW])
    with pytest.raises(WrongMasterKey, match=before.id):
        after.unwrap(before.wrap(OLD, *MEMBER), before.id, *MEMBER)


def test_a_wrapped_key_moved_to_another_member_does_not_unwrap() -> None:
    master = MasterKey.of([OLD])
    with pytest.raises(WrongMasterKey):
        master.unwrap(master.wrap(OLD, *MEMBER), master.id, "demo", "mem_2")


def test_a_key_file_has_a_key_a_line(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    assert MasterKey.read(file) == MasterKey.of([NEW, OLD])


@pytest.mark.parametrize("text", ["", "abcd\n", "zz" * 32, "ä" * 64, OLD.hex() + "00"])
def test_a_key_file_that_holds_anything_else_is_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "master.key"
    file.write_text(text)
    with pytest.raises(ValueError, match="64 hexadecimal") as caught:
        MasterKey.read(file)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_keys_are_not_shown_in_a_representation() -> None:
    shown = repr((MasterKey.of([OLD]), seal_of()))
    assert repr(OLD)[2:-1] not in shown
    assert OLD.hex() not in shown
