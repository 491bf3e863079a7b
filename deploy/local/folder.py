"""The state folder: what lies where, its format version, its lock, its secrets."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from deploy.local.errors import AlreadyRunningError, LocalStackError
from deploy.local.files import read_json_object, write_atomically

SHARDS = 8
"""How many a new stack has where nothing else is asked for."""
MOST_SHARDS = 256
FORMAT_VERSION = 2
"""Raised with every change that an older or newer piperoll could not read."""


class StateFolder:
    """Everything one stack keeps, under one path."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.version = self.path / "VERSION"
        self.ports = self.path / "stack.json"
        self.running = self.path / "running.json"
        self.clock = self.path / "clock"
        self.shard_count = self.path / "shards"
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets"
        self.master_key = self.secrets / "master.key"
        self.postgres = self.path / "postgres"
        self.people = self.path / "people"
        self.archive = self.path / "archive.json"
        self.kafka = self.path / "kafka"
        self.identity = self.path / "identity"
        self.mail = self.path / "mail"
        self.card = self.path / "card"
        self._lock: IO[str] | None = None

    def __str__(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        """Say whether a stack was ever started here."""
        return self.version.exists()

    def open(self) -> None:
        """Take the folder for this process: make it or check its version, lock it.

        LocalStackError when it is another version's or somebody else's folder, AlreadyRunningError when taken.
        """
        self._make()
        self._take_lock()
        try:
            self._check_version()
            self.logs.mkdir(exist_ok=True)
            for private in (self.secrets, self.mail, self.card, self.kafka, self.identity):
                private.mkdir(mode=0o700, exist_ok=True)
            if not self.clock.exists():
                write_atomically(self.clock, "0\n")
            if not self.master_key.exists():
                write_atomically(self.master_key, secrets.token_hex(32) + "\n", mode=0o600)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process take the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_locked(self) -> bool:
        """Say whether some process holds the folder now."""
        try:
            with (self.path / "lock").open("r") as probe:
                fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def supervisor(self) -> dict[str, object]:
        """Return who holds the folder, as written at its start: {pid, started}."""
        found = read_json_object(self.running).get("supervisor")
        return found if isinstance(found, dict) else {}

    def secret(self, name: str) -> str:
        """Return the secret of this name, made at its first use."""
        path = self.secrets / name
        if not path.exists():
            write_atomically(path, secrets.token_urlsafe(24) + "\n", mode=0o600)
        return path.read_text(encoding="utf-8").strip()

    def shards(self, asked: str = "") -> int:
        """Return how many shards the stack has: `asked`, else 8, until it is kept. LocalStackError for another then."""
        if asked and not (asked.isdecimal() and 1 <= int(asked) <= MOST_SHARDS):
            raise LocalStackError(f"PIPEROLL_SHARDS is {asked!r} and must be a whole number from 1 to {MOST_SHARDS}")
        if not self.shard_count.exists() and not self.postgres.exists():
            return int(asked or SHARDS)
        kept = int(self.shard_count.read_text(encoding="utf-8")) if self.shard_count.exists() else SHARDS
        if asked and int(asked) != kept:
            raise LocalStackError(
                f"the stack in {self.path} was made with {kept} shards and {int(asked)} are asked for: the number is "
                "fixed for life; leave PIPEROLL_SHARDS out, or choose a new folder with --state"
            )
        return kept

    def keep_shards(self, number: int) -> None:
        """Fix the number of shards."""
        write_atomically(self.shard_count, f"{number}\n")

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalStackError(
                f"cannot make the state folder {self.path} ({error.strerror}): choose another with --state"
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise LocalStackError(f"the state folder {self.path} is not writable: choose another with --state")

    def _take_lock(self) -> None:
        lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            pid = self.supervisor().get("pid")
            raise AlreadyRunningError(self.path, pid if isinstance(pid, int) else None) from None
        self._lock = lock

    def _check_version(self) -> None:
        if not self.version.exists():
            foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name != "lock")
            if foreign:
                (self.path / "lock").unlink(missing_ok=True)
                raise LocalStackError(
                    f"{self.path} is not a state folder of piperoll (it holds {foreign[0]} and no VERSION): "
                    "choose an empty or new folder with --state"
                )
            write_atomically(self.version, f"{FORMAT_VERSION}\n")
            return
        text = self.version.read_text(encoding="utf-8").strip()
        if not text.isdecimal() or int(text) != FORMAT_VERSION:
            raise LocalStackError(
                f"the state folder {self.path} has format {text or 'unknown'} and this piperoll reads format "
                f"{FORMAT_VERSION}: use the piperoll that made it, or start afresh with another --state"
            )
