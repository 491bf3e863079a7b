"""The gateway's catalogue of errors: every code that a caller can meet here, and the reasons of what was refused."""

from pathlib import Path

from shared.http.problems import GENERAL, Catalogue, catalogue

_OWN = Path(__file__).with_suffix(".toml")
PROBLEMS: Catalogue = catalogue(GENERAL, _OWN)
REASONS: Catalogue = catalogue(_OWN, table="reason")
