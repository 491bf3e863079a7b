"""`make setup`: from a bare Python to a `.venv` in which everything runs.

Runs under the machine's Python, before anything is installed: standard library only, nothing of ours imported.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
HOME = VENV / "piperoll"
STAMP = HOME / "setup.stamp"
TOOLS = HOME / "tools"
STEPS = 5


class SetupError(Exception):
    """A step that failed: what it tried, why it failed, what to do."""

    def __init__(self, tried: str, why: str, what_to_do: str) -> None:
        super().__init__(
            f"\nmake setup failed.\n  tried:      {tried}\n  why:        {why}\n  what to do: {what_to_do}"
        )


def main() -> int:
    """Bring `.venv` up to date; exit code 0 when it is."""
    os.umask(0o022)
    wanted = _inputs()
    if _is_done(wanted):
        return 0
    began = time.monotonic()
    try:
        _environment()
        _installer()
        _packages()
        _project()
        _local_stack()
    except SetupError as failure:
        print(failure, file=sys.stderr)
        return 1
    STAMP.write_text(wanted, encoding="utf-8")
    print(f"setup done in {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _inputs() -> str:
    """Return the hash of all that decides what setup does: lists, this program, the place, the Python."""
    digest = hashlib.sha256(f"{REPOSITORY}\0{sys.version_info[:2]}\0".encode())
    for path in _input_files():
        digest.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _input_files() -> Iterator[Path]:
    yield REPOSITORY / "pyproject.toml"
    yield from sorted((REPOSITORY / "requirements").glob("*.txt"))
    for pattern in ("*.pom.xml", "*.sha256", "bootstrap.py", "setup.py", "jars.py"):
        yield from sorted((REPOSITORY / "deploy" / "local").glob(pattern))


def _is_done(wanted: str) -> bool:
    try:
        done = STAMP.read_text(encoding="utf-8") == wanted
    except OSError:
        return False
    present = (PYTHON, VENV / "bin" / "piperoll", HOME / "jars" / "kafka", HOME / "jars" / "identity")
    return done and all(path.exists() for path in present)


def _environment() -> None:
    _say(1, f"virtual environment .venv on Python {sys.version.split()[0]}")
    if PYTHON.exists() and _succeeds([PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]):
        return
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise SetupError(
            f"{sys.executable} -m venv .venv",
            "this Python comes without the modules `venv` and `ensurepip`, which Debian and Ubuntu package apart",
            f"apt-get install {package} (or python3-venv), or name another Python: make setup PYTHON=/path/to/python",
        ) from None
    _run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        "see the lines above; is the folder writable and the disk not full? Then `make setup` again",
    )


def _installer() -> None:
    _say(2, "the installer uv, by pip, hash-locked")
    if not _succeeds([PYTHON, "-m", "pip", "--version"]):
        _run([PYTHON, "-m", "ensurepip", "--upgrade"], "remove .venv and run `make setup` again")
    HOME.mkdir(exist_ok=True)
    lock = REPOSITORY / "requirements" / "uv.txt"
    marker = TOOLS / f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}.installed"
    if marker.exists():
        return
    shutil.rmtree(TOOLS, ignore_errors=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "--no-deps",
    ]
    _run([*pip, "--require-hashes", "--target", TOOLS, "-r", lock], _NETWORK.format(tool="pip"))
    marker.touch()


def _packages() -> None:
    _say(3, "the packages, each compared with its locked hash")
    lock = REPOSITORY / "requirements" / "dev.txt"
    marker = HOME / f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}.synced"
    if marker.exists():
        return
    for old in HOME.glob("*.synced"):
        old.unlink()
    command = [*_uv("sync"), "--require-hashes", lock]
    try:
        _run(command, _NETWORK.format(tool="uv"))
    except SetupError as failure:
        print("      that failed; trying uv's own cache, then the machine's own certificates", flush=True)
        if not _succeeds([*command, "--offline"]) and not _succeeds([*command, "--system-certs"]):
            raise failure from None
    marker.touch()


def _project() -> None:
    _say(4, "the command piperoll, from this tree")
    _run(
        [*_uv("install"), "--offline", "--no-deps", "--no-build-isolation", "--editable", REPOSITORY],
        "see the lines above; if .venv is damaged, remove it and run `make setup` again",
    )


def _local_stack() -> None:
    _say(5, "Kafka and the identity provider, compared with their locked hashes; templates for quick starts")
    _run([PYTHON, "-m", "deploy.local.setup"], "do what the line above says, then run `make setup` again")


_NETWORK = (
    "this step downloads: check the network, or the index and proxy that {tool} is set up for (offline: its cache, or "
    "a folder of wheels it is told of). Then run `make setup` again: it goes on where it stopped"
)


def _uv(action: str) -> list[str | Path]:
    return [TOOLS / "bin" / "uv", "pip", action, "--python", PYTHON]


def _say(step: int, what: str) -> None:
    print(f"[{step}/{STEPS}] {what}", flush=True)


def _run(command: Sequence[str | Path], what_to_do: str) -> None:
    """Run a step with its output shown; SetupError when it fails."""
    tried = shlex.join(map(str, command))
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    try:
        ran = subprocess.run(list(map(str, command)), cwd=REPOSITORY, env=environment, check=False)
    except OSError as error:
        raise SetupError(tried, str(error), what_to_do) from error
    if ran.returncode != 0:
        raise SetupError(tried, f"it ended with exit code {ran.returncode}; its own words are above", what_to_do)


def _succeeds(command: Sequence[str | Path]) -> bool:
    try:
        ran = subprocess.run(list(map(str, command)), capture_output=True, check=False)
    except OSError:
        return False
    return ran.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
