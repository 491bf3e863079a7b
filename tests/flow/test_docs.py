"""The pages for portal developers and for finance: every example runs, and prints what stands below it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("portal", "finance")
END = "--- end of example ---"
_EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, str | None]]:
    """Return a page's commands and what they are shown to print; None where nothing is shown."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return [(match[1], match[2]) for match in _EXAMPLE.finditer(text)]


def run(stack: Stack, commands: list[str]) -> list[str]:
    """Run a page's commands in one shell and return what each example printed."""
    script = f"echo '{END}'\n".join(f"{one}\n" for one in commands)
    script = script.replace('export PATH="$PWD/.venv/bin:$PATH"', "")
    script = re.sub(r"piperoll (env|token \w+|clock advance)", rf"piperoll \1 --state {stack.state}", script)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True, text=True, cwd=ROOT, timeout=180, env={**os.environ, "PATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.split(f"{END}\n")


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_page_prints_what_the_page_shows(stack: Stack, page: str) -> None:
    told = examples(page)
    printed = run(stack, [commands for commands, _ in told])
    shown = [expected if expected is not None else output for (_, expected), output in zip(told, printed, strict=True)]
    assert printed == shown


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
