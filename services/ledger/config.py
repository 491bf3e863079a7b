"""What the ledger reads from its environment."""

from shared.settings import OneServerSettings, ProcessSettings


class LedgerSettings(ProcessSettings):
    """`PIPEROLL_*` of a worker: what every process reads, and no more."""


class LedgerHttpSettings(OneServerSettings):
    """`PIPEROLL_*` of an HTTP process, which never reads `kafka_bootstrap`.

    `staff_rate_per_min` is requests per minute and principal in one process.
    """

    kafka_bootstrap: str = ""
    oidc_issuer: str = ""
    oidc_audience: str = "piperoll"
    staff_rate_per_min: int = 60_000
    http_connections: int = 2
    min_position_wait_s: float = 5.0
    drain_s: int = 8
