"""What is made once per virtual environment and shared by all stacks: jars, archives, templates."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]
"""Shows one line of progress."""


def quiet(_: str) -> None:
    """Show nothing."""


def home() -> Path:
    """Return the folder, made if need be: `piperoll/` in the virtual environment, or the user's own where that is not
    the user's to write.
    """
    shared = Path(sys.prefix) / "piperoll"
    if os.access(shared if shared.exists() else sys.prefix, os.W_OK):
        folder = shared
    else:
        folder = Path.home() / ".cache" / "piperoll" / digest(sys.prefix)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def held(name: str) -> Iterator[None]:
    """Let one process at a time make the thing called `name`."""
    with (home() / f".{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name`-`key`, made by `make(folder)` if it is not there.

    `make` fills a private folder that is renamed when whole, so that a killed attempt leaves nothing half-made.
    """
    target = home() / f"{name}-{key}"
    shared = Path(sys.prefix) / "piperoll" / target.name
    for there in (target, shared):
        if there.is_dir():
            return there
    with held(name):
        if target.is_dir():
            return target
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=home()))
        try:
            work.chmod(0o755)
            make(work)
            os.rename(work, target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        return target


def digest(*parts: object) -> str:
    """Return a short key of the parts: same parts, same key."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]
