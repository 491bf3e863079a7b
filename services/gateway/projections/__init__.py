"""What the gateway knows of billing's, the ledger's and the notifier's logs: one group of columns per source.

No row of a request, and no other column, is written by two sources, so the order between sources cannot matter.
"""

from collections.abc import Sequence

from services.gateway.projections.accounts import Accounts
from services.gateway.projections.balances import Balances
from services.gateway.projections.cases import Cases
from services.gateway.projections.history import History
from services.gateway.projections.invoices import Invoices
from services.gateway.projections.ledger_accounts import LedgerAccounts
from services.gateway.projections.merges import Merges
from services.gateway.projections.notices import Notices
from services.gateway.projections.payments import Payments
from services.gateway.projections.proposals import Proposals
from services.gateway.projections.reconciliation import Reconciliation
from services.gateway.projections.refunds import Refunds
from services.gateway.projections.requests import Requests
from services.gateway.projections.statements import Statements
from services.gateway.projections.transfers import Transfers
from shared.eventlog.projections import Projection

PROJECTIONS: Sequence[Projection] = (
    Accounts(),
    Invoices(),
    Payments(),
    Cases(),
    Refunds(),
    Transfers(),
    Merges(),
    Requests(),
    Statements(),
    Reconciliation(),
    Proposals(),
    LedgerAccounts(),
    Balances(),
    History(),
    Notices(),
)
