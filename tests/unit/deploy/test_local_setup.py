"""`make setup` says what it tried, why it failed and what to do; once done, it does nothing."""

import sys
from pathlib import Path

import pytest

from deploy.local import bootstrap


def test_a_python_without_venv_is_told_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / "none")
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.SetupError, match=r"apt-get install python3\.\d+-venv \(or python3-venv\)"):
        bootstrap._environment()


def test_a_failing_step_says_what_it_tried_why_and_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(bootstrap.SetupError) as failure:
        bootstrap._run(["/bin/sh", "-c", "echo offline >&2; exit 7"], "check the network")
    said = str(failure.value)
    assert "tried:      /bin/sh -c" in said
    assert "exit code 7" in said
    assert "what to do: check the network" in said
    assert "offline" in capfd.readouterr().err


def test_a_program_that_is_not_there_is_a_failing_step_too() -> None:
    with pytest.raises(bootstrap.SetupError, match="No such file"):
        bootstrap._run(["/no/such/program"], "install it")


def test_setup_is_done_only_while_nothing_it_reads_has_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VENV", "HOME", "PYTHON", "STAMP"):
        path = {"VENV": "", "HOME": "piperoll", "PYTHON": "bin/python", "STAMP": "piperoll/setup.stamp"}[name]
        monkeypatch.setattr(bootstrap, name, tmp_path / path)
    for folder in ("piperoll/jars/kafka", "piperoll/jars/identity", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    for program in ("python", "piperoll"):
        (tmp_path / "bin" / program).touch()
    assert not bootstrap._is_done("inputs")
    bootstrap.STAMP.write_text("inputs")
    assert bootstrap._is_done("inputs")
    assert not bootstrap._is_done("other inputs")
    (tmp_path / "bin" / "piperoll").unlink()
    assert not bootstrap._is_done("inputs")
