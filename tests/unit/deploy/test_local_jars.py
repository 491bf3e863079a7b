"""Jars are accepted only when names and hashes are the committed ones."""

import hashlib
import re
from pathlib import Path

import pytest

from deploy.local.jars import IDENTITY, KAFKA, JarSet, differences


@pytest.fixture
def listed(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with two jars and the list that fits them."""
    folder = tmp_path / "jars"
    folder.mkdir()
    rows = []
    for name in ("a-1.jar", "b-2.jar"):
        (folder / name).write_bytes(name.encode())
        rows.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")
    listing = tmp_path / "jars.sha256"
    listing.write_text("".join(rows))
    return folder, listing


def test_exactly_the_listed_jars_are_accepted(listed: tuple[Path, Path]) -> None:
    assert differences(*listed) == []


def test_a_missing_jar_is_named(listed: tuple[Path, Path]) -> None:
    (listed[0] / "a-1.jar").unlink()
    assert differences(*listed) == ["a-1.jar is missing"]


def test_an_extra_jar_is_named(listed: tuple[Path, Path]) -> None:
    (listed[0] / "c-3.jar").write_bytes(b"")
    assert differences(*listed) == ["c-3.jar is not on the list"]


def test_a_jar_with_other_bytes_is_named(listed: tuple[Path, Path]) -> None:
    (listed[0] / "b-2.jar").write_bytes(b"evil")
    [found] = differences(*listed)
    assert found.startswith("b-2.jar has SHA-256")


def test_an_absent_folder_misses_everything(listed: tuple[Path, Path]) -> None:
    assert differences(listed[0] / "nowhere", listed[1]) == ["a-1.jar is missing", "b-2.jar is missing"]


@pytest.mark.parametrize("jars", [KAFKA, IDENTITY], ids=lambda jars: jars.name)
def test_mvn_and_jgo_are_asked_for_the_same_versions(jars: JarSet) -> None:
    pom = jars.pom.read_text(encoding="utf-8")
    dependencies = pom[pom.index("<dependencies>") : pom.index("</dependencies>")]
    by_mvn = set(re.findall(r"<artifactId>(.+)</artifactId>\s*<version>(.+)</version>", dependencies))
    by_jgo = {tuple(each.rstrip("!").split(":")[1:]) for each in jars.coordinates.split("+")}
    assert by_mvn == by_jgo


@pytest.mark.parametrize("jars", [KAFKA, IDENTITY], ids=lambda jars: jars.name)
def test_a_list_holds_names_and_hashes_and_nothing_else(jars: JarSet) -> None:
    lines = jars.listing.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines, key=lambda line: line.split()[1])
    assert all(re.fullmatch(r"[0-9a-f]{64}  [A-Za-z0-9._-]+\.jar", line) for line in lines)
