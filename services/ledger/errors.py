"""The ledger's catalogue of errors: every code that a caller of its HTTP can meet."""

from pathlib import Path

from shared.http.problems import GENERAL, Catalogue, catalogue

PROBLEMS: Catalogue = catalogue(GENERAL, Path(__file__).with_suffix(".toml"))
