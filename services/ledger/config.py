"""What the ledger reads from its environment: what every process reads, and no more."""

from shared.settings import ProcessSettings


class LedgerSettings(ProcessSettings):
    """`PIPEROLL_*`."""
