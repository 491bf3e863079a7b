"""The ledger's worker as it is, without what follows its log: inbox, writer, relay and publisher in one process."""

from services.ledger.config import LedgerSettings
from services.ledger.handlers import REGISTRY
from shared.worker import run

if __name__ == "__main__":
    run("ledger", REGISTRY, lambda context: (), LedgerSettings())  # type: ignore[call-arg]
