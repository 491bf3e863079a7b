"""The part of `make setup` that needs our packages: jars, templates, class-data archives."""

from __future__ import annotations

import sys

from deploy.local import identity, kafka, postgres
from deploy.local.errors import LocalStackError
from deploy.local.jars import IDENTITY, KAFKA, fetched
from deploy.local.java import find_java


def say(line: str) -> None:
    """Show one line of progress."""
    print(f"      {line}", flush=True)


def main() -> int:
    """Fetch and make what is not there yet; exit code 0 when all of it is."""
    try:
        java = find_java()
        say(f"Java {java.version} ({java.program})")
        for jars in (KAFKA, IDENTITY):
            fetched(jars, say)
        postgres.template(say)
        kafka.prepare(say)
        identity.prepare(say)
    except LocalStackError as error:
        print(f"      {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
