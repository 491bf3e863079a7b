"""Named queries: `.sql` files beside the module that runs them."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def queries(file: Path) -> dict[str, str]:
    """Return the statements of a file by name; each begins with a line `-- name: <name>`, nothing stands before.

    A file that names one twice, or has text before the first name, raises ValueError.
    """
    before, *parts = _NAME.split(file.read_text(encoding="utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if any(line and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{file}: text before the first name")
    if len(set(names)) != len(names):
        raise ValueError(f"{file}: a name stands twice")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}
