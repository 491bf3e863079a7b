"""The gateway's own statement that goes with an append: the plain row of a request."""

from collections.abc import Mapping
from pathlib import Path

from shared.postgres.queries import queries

REQUEST = "insert_request"
STATEMENTS: Mapping[str, str] = queries(Path(__file__).with_suffix(".sql"))
