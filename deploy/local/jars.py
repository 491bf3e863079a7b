"""The jars of Kafka and of the identity provider, accepted only if names and hashes are the listed ones."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.home import Say, held, home, quiet
from deploy.local.java import find_java

_HERE = Path(__file__).parent
_LIMIT_S = 900


@dataclass(frozen=True)
class JarSet:
    """Jars that belong together.

    `coordinates` says to jgo what the pom says to mvn. The trailing `!` keeps log4j's managed versions from
    replacing Kafka's own; without it jgo resolves old clients, which the list of hashes then refuses.
    """

    name: str
    coordinates: str

    @property
    def pom(self) -> Path:
        return _HERE / f"{self.name}-jars.pom.xml"

    @property
    def listing(self) -> Path:
        return _HERE / f"{self.name}-jars.sha256"

    @property
    def folder(self) -> Path:
        shared = Path(sys.prefix) / "piperoll" / "jars" / self.name
        return shared if shared.is_dir() else home() / "jars" / self.name


KAFKA = JarSet(
    "kafka",
    "org.apache.kafka:kafka_2.13:4.4.0+org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!"
    "+org.apache.logging.log4j:log4j-core:2.25.5!",
)
IDENTITY = JarSet("identity", "no.nav.security:mock-oauth2-server:6.0.2")


def fetched(jars: JarSet, say: Say = quiet) -> Path:
    """Return the folder with exactly the listed jars, fetched if need be.

    Hashes are compared when the jars are fetched; later only the names, sizes and the list itself, which is quick.
    """
    if _is_sealed(jars):
        return jars.folder
    with held(f"jars-{jars.name}"):
        if not _is_sealed(jars):
            _fetch(jars, say)
    return jars.folder


def differences(folder: Path, listing: Path) -> list[str]:
    """Return what is missing, wrong or extra in `folder` against the list, as sentences; [] when nothing is."""
    listed = _read_listing(listing)
    present = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    found = [f"{name} is missing" for name in sorted(listed.keys() - present.keys())]
    found += [f"{name} is not on the list" for name in sorted(present.keys() - listed.keys())]
    for name in sorted(listed.keys() & present.keys()):
        actual = hashlib.sha256(present[name].read_bytes()).hexdigest()
        if actual != listed[name]:
            found.append(f"{name} has SHA-256 {actual[:16]}… and should have {listed[name][:16]}…")
    return found


def _read_listing(listing: Path) -> dict[str, str]:
    rows = (line.split() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name: digest for digest, name in rows}


def _seal_of(jars: JarSet) -> str:
    sizes = sorted((path.name, path.stat().st_size) for path in jars.folder.glob("*"))
    return hashlib.sha256(f"{jars.listing.read_text(encoding='utf-8')}{sizes}".encode()).hexdigest()


def _seal_file(jars: JarSet) -> Path:
    return jars.folder.parent / f"{jars.name}.seal"


def _is_sealed(jars: JarSet) -> bool:
    try:
        return _seal_file(jars).read_text(encoding="utf-8") == _seal_of(jars)
    except OSError:
        return False


def _fetch(jars: JarSet, say: Say) -> None:
    parent = jars.folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    if jars.folder.is_dir() and not differences(jars.folder, jars.listing):
        _seal_file(jars).write_text(_seal_of(jars), encoding="utf-8")
        return
    failures: list[str] = []
    for tool, fetch, is_here in (("mvn", _by_mvn, _has_mvn()), ("jgo", _by_jgo, _has_jgo())):
        if not is_here:
            failures.append(f"{tool} is not here")
            continue
        work = Path(tempfile.mkdtemp(prefix=f".{jars.name}-", dir=parent))
        try:
            say(f"fetching the jars of {jars.name} ({len(_read_listing(jars.listing))} files) with {tool} ...")
            failure = fetch(jars, work)
            if failure is None:
                wrong = differences(work, jars.listing)
                failure = f"what came is refused: {'; '.join(wrong[:3])}" if wrong else None
            if failure is None:
                shutil.rmtree(jars.folder, ignore_errors=True)
                work.chmod(0o755)
                work.rename(jars.folder)
                _seal_file(jars).write_text(_seal_of(jars), encoding="utf-8")
                return
            failures.append(f"{tool}: {failure}")
            say(f"  {failures[-1]}")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    raise LocalStackError(
        f"could not fetch the jars of {jars.name} into {jars.folder} by any of: {' | '.join(failures)}. "
        "They come from the repository that mvn (settings.xml) or jgo is set up for: check the network or the "
        f"mirror, then run `make setup` again; offline, put the files listed in {jars.listing.name} there yourself"
    )


def _has_mvn() -> bool:
    return shutil.which("mvn") is not None


def _has_jgo() -> bool:
    return importlib.util.find_spec("jgo") is not None


def _by_mvn(jars: JarSet, work: Path) -> str | None:
    command = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(jars.pom), "dependency:copy-dependencies"]
    return _run([*command, "-DincludeScope=runtime", f"-DoutputDirectory={work}"])


def _by_jgo(jars: JarSet, work: Path) -> str | None:
    import jgo

    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    # Without a Java in sight jgo would download one, to look into jars.
    os.environ.setdefault("JAVA_HOME", str(find_java().program.resolve().parent.parent))
    failure = None
    for bundle in (None, _machine_certificates()):
        if bundle is not None:
            os.environ.setdefault("REQUESTS_CA_BUNDLE", bundle)
        with tempfile.TemporaryDirectory(prefix="piperoll-jgo-") as cache:
            try:
                for jar in jgo.build(jars.coordinates, cache_dir=Path(cache)).all_jars:
                    shutil.copyfile(jar, work / Path(jar).name)
            except Exception as error:  # whatever jgo raises is one more road that did not lead there
                failure = f"{type(error).__name__}: {str(error)[:200]}"
            else:
                return None
    return failure


def _machine_certificates() -> str | None:
    """Return where this machine keeps the certificates it trusts, as a company's proxy needs; jgo brings its own."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def _run(command: list[str]) -> str | None:
    """Run the command; None when it succeeded, else why it did not."""
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if ran.returncode == 0:
        return None
    lines = [line.strip() for line in (ran.stdout + ran.stderr).splitlines() if "ERROR" in line or line.strip()]
    return f"exit code {ran.returncode}: {lines[0][:300] if lines else 'no output'}"
