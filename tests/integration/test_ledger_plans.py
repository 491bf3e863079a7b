"""Every list of the ledger's HTTP goes along an index: on tables of 1,000,000 rows it touches few of their pages."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.ledger.http.reads import SQL, STATEMENT_TIMEOUT
from services.ledger.reconciliation import trial_reading
from shared.eventlog.postgres_sessions import PLANNING
from shared.postgres.settings import conninfo
from tests.conftest import ServiceDatabase

MOST_BUFFERS = 1_000
FILL = """
INSERT INTO event_0 (shard, position, stream, version, event_id, type, data)
SELECT 0, n, 'acc_' || n % 50000, (n - 1) / 50000 + 1, lpad(to_hex(n), 32, '0')::uuid,
    'ledger.entry-posted.v1', '\\x00'::bytea
FROM generate_series(1, 1000000) n;
INSERT INTO entry (shard, position, tenant, effective_date, payment_id)
SELECT 0, n, 'demo', date '2020-01-01' + n / 500, 'pay_0_' || n % 100000 FROM generate_series(1, 1000000) n;
INSERT INTO house_posting (tenant, code, sub_key, currency, day, shard, position, debit_minor, credit_minor)
SELECT 'demo', '1125', 'card', 'USD', date '2020-01-01' + n / 500, 0, n, 1, 0 FROM generate_series(1, 1000000) n;
INSERT INTO balance (account_id, code, sub_key, currency, debit_minor, credit_minor, position)
SELECT 'acc_' || n % 50000, '1210', 'acc_' || n % 50000 || '/' || n, 'USD', 1, 0, n
FROM generate_series(1, 1000000) n;
INSERT INTO ledger_day (tenant, code, sub_key, currency, day, shard, debit_minor, credit_minor)
SELECT 'demo', code, CASE code WHEN '1125' THEN 'card' ELSE '' END, 'USD', date '2020-01-01' + n, shard, 1, 1
FROM unnest(ARRAY['1125', '1210', '2110', '2210', '2220']) code, generate_series(0, 1) shard,
    generate_series(1, 2000) n;
"""
TABLES = ("event_0", "entry", "house_posting", "balance", "ledger_day")
DAY, LATE = "date '2024-01-01'", "date '2199-12-31'"
LISTS = {
    "stream_begins": "'acc_7'",
    "balances_of": "'acc_7', '', '', '', 51",
    "accounts_with": "'1210', 'acc_7/7', 50",
    "entries_of": "'acc_7', 9223372036854775807, 21",
    "entries_of_between": f"'acc_7', 9223372036854775807, 21, {DAY}, {LATE}",
    "entries_of_payment": f"'pay_0_7', 'demo', 9223372036854775807, 21, date '2000-01-01', {LATE}",
    "entries_between": f"'demo', {DAY}, {LATE}, 0, 0, 51",
    "stream_from": "'acc_7', 5, 500",
    "house_entries": f"'demo', '1125', 'card', 'USD', {DAY}, {LATE}, 0, 0, 51",
    "house_statement": f"'demo', '1125', 'card', 'USD', {DAY}, -1, 0, {LATE}, 51",
    "entry": "'00000000-0000-0000-0000-000000000007'",
    "house_sums_of_code": "'1125', 'demo', '', '', 51",
    "house_sums_of_sub_key": "'1125', 'demo', 'card', '', 51",
    "trial_balance": f"'demo', {DAY}, 'ledger.days', 1",
}
SUMS = ("house_sums_of_code", "house_sums_of_sub_key", "trial_balance")


@pytest.fixture(scope="module")
def reading(service_database: ServiceDatabase) -> Iterator[psycopg.Connection[Any]]:
    database = service_database("ledger", 2)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET synchronous_commit = off")
        for statement in filter(str.strip, FILL.split(";")):
            admin.execute(statement.encode())
        for table in TABLES:
            admin.execute(f"VACUUM ANALYZE {table}".encode())
    settings = conninfo(database.dsn, "test-plans", {**PLANNING, **STATEMENT_TIMEOUT})
    with psycopg.connect(settings, autocommit=True) as connection:
        yield connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def explained(reading: psycopg.Connection[Any], statement: str) -> dict[str, Any]:
    row = reading.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode()).fetchone()
    assert row is not None
    told = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan: dict[str, Any] = told[0]["Plan"]
    return plan


def scanned(plan: dict[str, Any]) -> set[str]:
    """Return the large tables that are read from one end to the other."""
    return {node["Relation Name"] for node in nodes(plan)
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_page_touches_few_pages(reading: psycopg.Connection[Any], name: str) -> None:
    reading.execute(f"PREPARE asked AS {SQL[name].replace('{shard}', '0')}".encode())
    try:
        plan = explained(reading, f"EXECUTE asked ({LISTS[name]})")
    finally:
        reading.execute("DEALLOCATE asked")

    assert scanned(plan) == set()
    assert plan["Actual Rows"] > 0
    if name not in SUMS:
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_BUFFERS


def test_every_list_is_asked_here() -> None:
    of_one_row = {"alive", "folded", "taken", "ends"}
    assert set(SQL) - of_one_row == set(LISTS)


def test_the_tenants_of_the_books_are_found_by_steps(reading: psycopg.Connection[Any]) -> None:
    plan = explained(reading, trial_reading._SQL["tenants"])

    assert scanned(plan) == set()
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 50
