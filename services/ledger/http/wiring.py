"""Puts the ledger's HTTP together."""

import time
from collections.abc import Mapping

from services.ledger.config import LedgerHttpSettings
from services.ledger.errors import PROBLEMS
from services.ledger.http.accounts import Accounts
from services.ledger.http.balances import Balances
from services.ledger.http.entries import Entries
from services.ledger.http.operations import OPERATIONS
from services.ledger.http.reaching import Reaching
from services.ledger.http.reads import Reads
from services.ledger.http.statements import Statements
from services.ledger.http.trial_balance import TrialBalances
from shared.auth.keys import Keys
from shared.auth.tokens import Tokens
from shared.clock import Clock
from shared.eventlog.bell import Bell
from shared.http.api import Api, Limits
from shared.http.call import Handler
from shared.http.system import System


def make_api(settings: LedgerHttpSettings, clock: Clock, reads: Reads, bell: Bell, keys: Keys, system: System) -> Api:
    """Return the application over what it needs of the world."""
    tokens = Tokens(settings.oidc_issuer, settings.oidc_audience, keys, time.time)
    reaching = Reaching(reads, bell, settings.shards, clock.monotonic)
    accounts = Accounts(reads, reaching, settings.shards)
    entries = Entries(reads, accounts, settings.shards)
    handlers: Mapping[str, Handler] = {
        "listBalances": Balances(reads, accounts, reaching).page,
        "listEntries": entries.page,
        "getEntry": entries.one,
        "getStatement": Statements(reads, accounts).page,
        "getTrialBalance": TrialBalances(reads, lambda: clock.now().astimezone(settings.zone).date()).read,
        "live": system.live,
        "ready": system.ready,
        "metrics": system.metrics,
        "openapi": system.openapi,
    }
    limits = Limits(
        member_rate_per_min=settings.staff_rate_per_min,
        staff_rate_per_min=settings.staff_rate_per_min,
        min_position_wait_s=settings.min_position_wait_s,
    )
    return Api(OPERATIONS, handlers, PROBLEMS, tokens, reaching.reach, limits, clock)
