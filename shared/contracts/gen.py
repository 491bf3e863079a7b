"""`python -m shared.contracts.gen [--check]`: writes what is generated from the contracts, or names what differs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.envelope import ALL_EVENTS
from shared.contracts.schema import schema_of
from shared.contracts.topics import ALL_TOPICS
from shared.telemetry.page import metrics_page

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path("shared/contracts/schemas")


def generated() -> dict[Path, str]:
    """Return every generated file's text by its path in the repository; the same contracts give the same bytes."""
    files = {SCHEMAS / f"{event.TYPE}.json": _json(schema_of(event)) for event in ALL_EVENTS}
    files[Path("shared/contracts/topics.json")] = _json(_topics())
    files[Path("docs/asyncapi.json")] = _json(asyncapi_document())
    files[Path("docs/metrics.md")] = metrics_page()
    return files


def differing(root: Path = ROOT) -> list[Path]:
    """Return the files that are missing, differ, or stand among the schemas without a type."""
    files = generated()
    wrong = {path for path, text in files.items() if not _same(root / path, text)}
    stale = {path.relative_to(root) for path in (root / SCHEMAS).glob("*")} - set(files)
    return sorted(wrong | stale)


def write(root: Path = ROOT) -> list[Path]:
    """Write what differs, remove schemas without a type, and return what was touched."""
    touched, files = differing(root), generated()
    for path in touched:
        if path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return touched


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: with `--check` 1 when a file differs, each named on standard error."""
    parser = argparse.ArgumentParser(prog="python -m shared.contracts.gen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that differ")
    if parser.parse_args(arguments).check:
        wrong = differing()
        for path in wrong:
            print(f"{path} differs from the contracts: run `make gen`", file=sys.stderr)
        return 1 if wrong else 0
    for path in write():
        print(path)
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _topics() -> list[dict[str, Any]]:
    return [
        {
            "name": topic.name,
            "producer": topic.producer,
            "consumers": list(topic.consumers),
            "kind": topic.kind,
            "retention_ms": topic.retention_ms,
            "compacted": topic.compacted,
        }
        for topic in ALL_TOPICS
    ]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
