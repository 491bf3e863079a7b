"""Migrations are numbered from 1 without a gap, so that two that were written side by side are seen at once."""

from pathlib import Path

import pytest

from shared.postgres.migrate import Folder, read_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("folder", sorted(ROOT.glob("s*/*/migrations")), ids=lambda folder: folder.parent.name)
def test_every_folder_of_migrations_is_numbered_without_a_gap(folder: Path) -> None:
    assert read_folder(Folder(folder.parent.name, folder))
