"""How PostgreSQL would answer a statement: which indexes, which tables read whole, whether it sorts, how many rows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg


class Plan(NamedTuple):
    """What a plan is made of; `rows` is the most that any of its nodes is expected to give."""

    indexes: set[str]
    read_whole: set[str]
    sorts: bool
    rows: int


def plan_of(connection: psycopg.Connection[Any], statement: bytes | str, parameters: Any) -> Plan:
    """Return the plan of a statement with these parameters, on tables that were filled and counted before."""
    query = b"EXPLAIN (FORMAT JSON) " + (statement if isinstance(statement, bytes) else statement.encode())
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    nodes = list(_nodes(row[0][0]["Plan"]))
    return Plan(
        indexes={node["Index Name"] for node in nodes if "Index Name" in node},
        read_whole={node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"},
        sorts=any(node["Node Type"] in ("Sort", "Incremental Sort") for node in nodes),
        rows=max(node["Plan Rows"] for node in nodes),
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)
