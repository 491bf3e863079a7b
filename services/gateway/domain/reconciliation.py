"""Exceptions of the reconciliation: their states, and the stream of the ledger that one is in."""

from enum import StrEnum
from typing import get_args

from shared.contracts.ledger import ReconciledAccount

ACCOUNTS: frozenset[str] = frozenset(get_args(ReconciledAccount))


class ExceptionState(StrEnum):
    """Where an exception is; an explained one still counts in the difference."""

    OPEN = "open"
    EXPLAINED = "explained"
    RESOLVED = "resolved"


def bank_stream(bank_account: str) -> str:
    """Return the stream of a bank account, whose shard is that of its records."""
    return "bnk_" + bank_account


def stream_of(account: ReconciledAccount, sub_key: str) -> str:
    """Return the ledger's stream in which the exceptions of a reconciled account are."""
    return bank_stream(sub_key) if account == "1010" else "prc_" + sub_key
