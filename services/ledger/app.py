"""Wires the ledger: `python -m services.ledger.app` runs a worker, `… http` serves finance and auditors."""

import os
import sys
from collections.abc import Sequence

import uvloop

from services.ledger.alarms import BooksAlarm, LimitAlarm
from services.ledger.config import LedgerHttpSettings, LedgerSettings
from services.ledger.handlers import REGISTRY
from services.ledger.journals.keeper import JournalKeeper
from services.ledger.projections import PROJECTIONS
from services.ledger.publishing import BalancePublisher
from services.ledger.reconciliation.reconciler import Reconciler
from services.ledger.reconciliation.trial_balances import TrialReporter
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.faults import arm_from
from shared.telemetry.logs import configure
from shared.worker import run


def parts(context: ShardContext) -> Sequence[ShardPart]:
    """Return what follows the log of a held shard."""
    return (
        ProjectionRunner(context, PROJECTIONS),
        Reconciler(context),
        JournalKeeper(context),
        TrialReporter(context),
        BalancePublisher(context),
        LimitAlarm(context),
        BooksAlarm(context),
    )


def main(arguments: list[str]) -> int:
    """Run one process until SIGTERM or SIGINT; 0 when drained, 1 after a fault of ours, 2 for wrong arguments."""
    if arguments == ["http"]:
        from services.ledger.http.server import HttpProcess

        settings = LedgerHttpSettings()
        configure("ledger", settings.instance, settings.log_level)
        arm_from(os.environ)
        uvloop.run(HttpProcess(settings).run())
        return 0
    if arguments:
        print("usage: python -m services.ledger.app [http]", file=sys.stderr)
        return 2
    run("ledger", REGISTRY, parts, LedgerSettings())  # type: ignore[call-arg]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
