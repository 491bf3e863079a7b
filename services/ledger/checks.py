"""What operators and the demo ask of the ledger's database: sums to zero, nothing unexplained."""

from pathlib import Path

import psycopg

from shared.postgres.queries import queries
from shared.postgres.settings import conninfo

_SQL = queries(Path(__file__).with_suffix(".sql"))
APPLICATION = "piperoll-ledger-checks"


def trial_balance(dsn: str) -> list[tuple[str, int, int]]:
    """Return (code, debits, credits) in minor units of every account that moved; both columns have the same sum."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        rows = connection.execute(_SQL["trial_balance"]).fetchall()
    return [(code, int(debit_minor), int(credit_minor)) for code, debit_minor, credit_minor in rows]


def trial_balance_minor(dsn: str) -> int:
    """Return all debits less all credits; anything but 0 is a fault of ours."""
    return sum(debit_minor - credit_minor for _, debit_minor, credit_minor in trial_balance(dsn))


def processor_balance_minor(dsn: str, processor: str = "card") -> int:
    """Return what the books say the processor holds for us, over all days and shards."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        row = connection.execute(_SQL["processor_balance"], (processor,)).fetchone()
    return int(row[0]) if row else 0


def newest_differences(dsn: str) -> list[tuple[str, str, str, int]]:
    """Return (account, sub-key, day, difference in minor units) of every day's newest reconciliation."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        rows = connection.execute(_SQL["newest_differences"]).fetchall()
    return [(account, sub_key, day, int(minor)) for account, sub_key, day, minor in rows]


def unexplained_minor(dsn: str) -> dict[str, int]:
    """Return per reconciled account the sum without sign of its exceptions that are open and not explained."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        rows = connection.execute(_SQL["unexplained"]).fetchall()
    return {account: int(minor) for account, minor in rows}


def late_payouts(dsn: str) -> int:
    """Return how many payouts the bank has not shown for more than three bank days, explained or not."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        row = connection.execute(_SQL["late_payouts"]).fetchone()
    return int(row[0]) if row else 0


def entries(dsn: str) -> int:
    """Return how many entries are posted."""
    with psycopg.connect(conninfo(dsn, APPLICATION)) as connection:
        row = connection.execute(_SQL["entries"]).fetchone()
    return int(row[0]) if row else 0
