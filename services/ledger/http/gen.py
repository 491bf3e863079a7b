"""Writes docs/ledger-openapi.json: `python -m services.ledger.http.gen`."""

from pathlib import Path

import msgspec

from services.ledger.http.openapi import document

FILE = Path(__file__).resolve().parents[3] / "docs" / "ledger-openapi.json"


def ledger_openapi_json() -> str:
    """Return the document as it is committed."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(ledger_openapi_json(), encoding="utf-8")
