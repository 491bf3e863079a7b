"""The ledger's worker: `python -m services.ledger.app`."""

from collections.abc import Sequence

from services.ledger.alarms import BooksAlarm, LimitAlarm
from services.ledger.config import LedgerSettings
from services.ledger.handlers import REGISTRY
from services.ledger.journals.keeper import JournalKeeper
from services.ledger.projections import PROJECTIONS
from services.ledger.reconciliation.reconciler import Reconciler
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.worker import run


def parts(context: ShardContext) -> Sequence[ShardPart]:
    """Return what follows the log of a held shard."""
    return (
        ProjectionRunner(context, PROJECTIONS),
        Reconciler(context),
        JournalKeeper(context),
        LimitAlarm(context),
        BooksAlarm(context),
    )


if __name__ == "__main__":
    run("ledger", REGISTRY, parts, LedgerSettings())  # type: ignore[call-arg]
