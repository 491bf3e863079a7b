"""The archive: the books' WAL as it is written, received beside the newest backup, second by second.

A backup names its archive in the state folder; the supervisor keeps the program that fills it. The server keeps, in a
slot, what the program has not received yet.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local import postgres
from deploy.local.files import read_json_object, write_atomically
from deploy.local.folder import StateFolder
from deploy.local.probes import archive_ready
from deploy.local.program import Program

ARCHIVE = "archive"
"""The program's name among the stack's."""
_FORGET_BEGUN = 'find "$0" -name "*.partial" -size -16777216c -delete; exec "$@"'


@dataclass(frozen=True)
class Archive:
    """Where the WAL goes and through which slot."""

    folder: str
    slot: str

    @classmethod
    def of(cls, state: StateFolder) -> Archive | None:
        """Return the archive that the newest backup has named; None before the first one and after a restore."""
        found = read_json_object(state.archive)
        folder, slot = found.get("folder"), found.get("slot")
        return cls(folder, slot) if isinstance(folder, str) and isinstance(slot, str) else None

    def name_in(self, state: StateFolder) -> None:
        """Have the supervisor keep this archive from now on, and no older one."""
        write_atomically(state.archive, json.dumps(asdict(self)) + "\n")

    def program(self, admin_dsn: str, log: Path) -> Program:
        """Return what receives the WAL; it ends when the server does, and goes on where it stopped.

        A segment that was begun when the receiver was killed is not full of zeros yet and holds nothing: the receiver
        would refuse it for ever, so it is removed first.
        """
        receive = str(postgres.binaries() / "pg_receivewal")
        return Program(
            name=ARCHIVE,
            argv=(
                "/bin/sh",
                "-c",
                _FORGET_BEGUN,
                self.folder,
                receive,
                "--directory",
                self.folder,
                "--slot",
                self.slot,
                "--no-loop",
                "--dbname",
                admin_dsn,
            ),
            env=postgres.environment(),
            probe=archive_ready(admin_dsn),
            log=log,
        )
