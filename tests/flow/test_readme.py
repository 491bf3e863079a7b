"""What the README tells a new user to type does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from deploy.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def test_the_readmes_example_pays_a_bill_and_shows_the_receipt(stack: Stack) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    state = str(stack.state)
    script = script.replace("piperoll env", f"piperoll env --state {state}")
    script = re.sub(r"piperoll token (\w+)", rf"piperoll token \1 --state {state}", script)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = script.replace('export PATH="$PWD/.venv/bin:$PATH"', "")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True, text=True, cwd=ROOT, timeout=90, env={**os.environ, "PATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    payment, account, *mail = done.stdout.strip().splitlines()
    assert json.loads(payment)["status"] == "settled"
    assert json.loads(account)["due_minor"] == 0
    assert "ana@example.org" in mail[0]


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_demo_prints_what_the_readme_shows() -> None:
    shown = re.findall(r"^\$ piperoll demo\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "demo"],
        capture_output=True, text=True, cwd=ROOT, timeout=300, env={**os.environ, "COLUMNS": "100"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert [line.rstrip() for line in done.stdout.splitlines()] == [line.rstrip() for line in shown[0].splitlines()]
