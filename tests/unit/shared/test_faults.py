"""Fault points: each is passed by code that runs, and does what it was armed for once."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.faults import ArmedFault, Point, arm, arm_from, disarm_all, reach

ROOT = Path(__file__).resolve().parents[3]
NOT_RUN = ("shared/faults.py", "shared/eventlog/memory.py")


@pytest.fixture(autouse=True)
def disarmed() -> object:
    yield
    disarm_all()


def passed(path: Path) -> set[str]:
    """Return the points that a module passes by `reach(Point.…)`."""
    return {
        node.args[0].attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reach"
        and isinstance(node.args[0], ast.Attribute)
    }


def test_every_point_is_passed_by_code_that_runs() -> None:
    modules = [path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py")]
    found = {name for path in modules if path.relative_to(ROOT).as_posix() not in NOT_RUN for name in passed(path)}
    assert found == {point.name for point in Point}


def test_a_point_strikes_at_the_pass_that_was_named_and_no_other() -> None:
    arm_from({"PIPEROLL_FAULTS": f"{Point.RELAY_AFTER_SEND}=raise:2"})
    reach(Point.RELAY_AFTER_SEND)
    reach(Point.RELAY_BEFORE_SEND)
    with pytest.raises(ArmedFault, match=r"relay\.after_send"):
        reach(Point.RELAY_AFTER_SEND)
    reach(Point.RELAY_AFTER_SEND)


def test_a_point_can_kill_the_process() -> None:
    program = "import os; from shared.faults import *; arm_from(os.environ); reach(Point.MAIL_AFTER_SEND)"
    environment = {"PIPEROLL_FAULTS": "mail.after_send=kill"}
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, timeout=20, check=False)
    assert killed.returncode == -signal.SIGKILL


def test_a_point_can_make_the_process_stand_still_until_it_is_woken() -> None:
    program = "import os; from shared.faults import *; arm_from(os.environ); reach(Point.MAIL_AFTER_SEND)"
    environment = {"PIPEROLL_FAULTS": "mail.after_send=stop"}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "environment",
    [
        {"PIPEROLL_FAULTS": "no.such_point=raise"},
        {"PIPEROLL_FAULTS": "mail.after_send=sing"},
        {"PIPEROLL_FAULTS": "mail.after_send=raise", "PIPEROLL_PROFILE": "production"},
    ],
)
def test_what_is_no_point_and_the_production_profile_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says another thing
        arm_from(environment)


def test_an_action_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sing"):
        arm(Point.MAIL_AFTER_SEND, "sing")
