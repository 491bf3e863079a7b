"""A process that is told to stop ends in time, also when something hangs."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HANGS = "import time; from shared.drain import end_within; end_within({seconds}); time.sleep({sleeps})"


def run(seconds: float, sleeps: float) -> int:
    program = HANGS.format(seconds=seconds, sleeps=sleeps)
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=20, check=False).returncode


def test_what_hangs_at_a_stop_ends_in_time() -> None:
    began = time.monotonic()
    assert run(seconds=0.1, sleeps=60) == 1
    assert time.monotonic() - began < 15


def test_what_has_drained_does_not_wait_for_the_bound() -> None:
    began = time.monotonic()
    assert run(seconds=60, sleeps=0) == 0
    assert time.monotonic() - began < 15
