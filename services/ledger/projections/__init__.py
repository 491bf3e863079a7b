"""What the ledger answers from: balances, entries, days, reconciliation."""

from collections.abc import Sequence

from services.ledger.projections.balances import Balances
from services.ledger.projections.days import Days
from services.ledger.projections.history import History
from services.ledger.projections.reconciliation_lines import ReconciliationLines
from shared.eventlog.projections import Projection

PROJECTIONS: Sequence[Projection] = (Balances(), History(), Days(), ReconciliationLines())
