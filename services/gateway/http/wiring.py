"""Puts the HTTP side together."""

import time
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from services.gateway.append import Appender
from services.gateway.config import GatewaySettings
from services.gateway.errors import PROBLEMS
from services.gateway.http.accounts import Accounts
from services.gateway.http.cases import Cases
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.database import Reads
from services.gateway.http.direct_views import DirectViews
from services.gateway.http.events import Events
from services.gateway.http.finance import Receipts, Statements
from services.gateway.http.finance_views import FinanceViews
from services.gateway.http.invoices import Invoices
from services.gateway.http.journals import Approvals, Journals, Reversals
from services.gateway.http.ledger_accounts import LedgerAccounts
from services.gateway.http.limits import Slots
from services.gateway.http.lookups import Lookups
from services.gateway.http.operations import OPERATIONS
from services.gateway.http.payments import Payments
from services.gateway.http.people import People
from services.gateway.http.posting import Posting
from services.gateway.http.reconciliation import Reconciliation
from services.gateway.http.refunds import Refunds
from services.gateway.http.requests import Requests
from services.gateway.http.stories import Stories
from services.gateway.http.things import Things
from services.gateway.http.transfers import BetweenHouseholds
from services.gateway.http.views import Views
from services.gateway.http.waiting import Outcomes, Places
from services.gateway.http.webhooks import CardWebhooks
from shared.auth.keys import Keys
from shared.auth.tokens import Tokens
from shared.clock import Clock
from shared.eventlog.bell import Bell
from shared.http.api import Api, Limits
from shared.http.call import Handler
from shared.http.system import System


class Shared:
    """What handlers have in common."""

    def __init__(self, settings: GatewaySettings, appender: Appender, reads: Reads, bell: Bell) -> None:
        self.reads = reads
        self.lookups = Lookups(reads)
        self.views = Views(reads, settings.zone)
        self.change_views = ChangeViews(reads)
        self.posting = Posting(appender, self.lookups, settings.shards)
        self.outcomes = Outcomes(reads, bell)
        self.things = Things(self.posting, self.outcomes)
        self.requests = Requests(self.things, self.lookups, self.change_views)


def make_api(
    settings: GatewaySettings,
    clock: Clock,
    appender: Appender,
    reads: Reads,
    bell: Bell,
    people: People,
    keys: Keys,
    system: System,
) -> Api:
    """Return the application over what it needs of the world."""
    shared = Shared(settings, appender, reads, bell)
    tokens = Tokens(settings.oidc_issuer, settings.oidc_audience, keys, time.time)
    stories = Stories(reads, bell, lambda: system.draining)
    slots = Slots(settings.most_streams, settings.most_streams_each)
    events = Events(shared.lookups, stories, tokens, slots, clock.monotonic, lambda: system.draining)
    webhooks = CardWebhooks(appender, settings.webhook_secrets(), settings.tenant, settings.shards, clock)
    handlers: Mapping[str, Handler] = {
        **_household(shared, people),
        **_changes(shared),
        **_finance(shared, people, settings.zone),
        **_direct(shared, people, settings),
        "followEvents": events.follow,
        "receiveCardWebhook": webhooks.receive,
        "live": system.live,
        "ready": system.ready,
        "metrics": system.metrics,
        "openapi": system.openapi,
    }
    places = Places(reads, bell, settings.shards, clock.monotonic)
    limits = Limits(
        member_rate_per_min=settings.member_rate_per_min,
        staff_rate_per_min=settings.staff_rate_per_min,
        min_position_wait_s=settings.min_position_wait_s,
        cors_origins=settings.cors_origins,
    )
    return Api(OPERATIONS, handlers, PROBLEMS, tokens, places.reach, limits, clock)


def _household(shared: Shared, people: People) -> Mapping[str, Handler]:
    posting, lookups, views, outcomes = shared.posting, shared.lookups, shared.views, shared.outcomes
    accounts = Accounts(posting, lookups, views, outcomes, shared.reads, people)
    invoices = Invoices(posting, lookups, views, outcomes, shared.requests)
    payments = Payments(posting, lookups, views, outcomes, shared.requests)
    return {
        "createAccount": accounts.create,
        "getAccount": accounts.read,
        "getBalances": accounts.balances,
        "getHistory": accounts.history,
        "listInvoices": accounts.invoices,
        "listPayments": accounts.payments,
        "createInvoice": invoices.create,
        "getInvoice": invoices.read,
        "voidInvoice": invoices.void,
        "createPayment": payments.create,
        "getPayment": payments.read,
        "getReceipt": payments.receipt,
        "cancelPayment": payments.cancel,
        "decidePayment": payments.decide,
    }


def _changes(shared: Shared) -> Mapping[str, Handler]:
    things, requests, lookups, views = shared.things, shared.requests, shared.lookups, shared.change_views
    cases = Cases(requests, lookups, views)
    refunds = Refunds(things, requests, lookups, views)
    between = BetweenHouseholds(things, lookups, views)
    return {
        "getRequest": requests.read,
        "listDuplicateCases": cases.page,
        "getDuplicateCase": cases.read,
        "decideDuplicateCase": cases.decide,
        "createRefund": refunds.create,
        "getRefund": refunds.read,
        "approveRefund": refunds.approve,
        "createTransfer": between.transfer,
        "getTransfer": between.read_transfer,
        "createMerge": between.merge,
        "getMerge": between.read_merge,
    }


def _finance(shared: Shared, people: People, zone: ZoneInfo) -> Mapping[str, Handler]:
    views = FinanceViews(shared.reads, people)
    receipts = Receipts(shared.posting, shared.lookups, shared.views, shared.outcomes, zone)
    statements = Statements(shared.things, shared.lookups, shared.reads, views, zone)
    reconciliation = Reconciliation(shared.requests, shared.posting, shared.reads, views, people)
    return {
        "createReceipt": receipts.create,
        "createBankStatement": statements.create,
        "getBankStatement": statements.read,
        "getReconciliationDay": reconciliation.day,
        "listReconciliationExceptions": reconciliation.exceptions,
        "explainReconciliationException": reconciliation.explain,
    }


def _direct(shared: Shared, people: People, settings: GatewaySettings) -> Mapping[str, Handler]:
    things, zone = shared.things, settings.zone
    views, approvals = DirectViews(shared.reads, people), Approvals(things, shared.requests)
    journals = Journals(things, approvals, shared.lookups, views, people, zone)
    reversals = Reversals(things, approvals, views, people, zone, settings.shards)
    accounts = LedgerAccounts(things, shared.requests, approvals, views)
    return {
        "createJournal": journals.create,
        "getJournal": journals.read,
        "approveJournal": journals.approve,
        "createReversal": reversals.create,
        "listReversals": reversals.page,
        "approveReversal": reversals.approve,
        "openLedgerAccount": accounts.open,
        "listLedgerAccounts": accounts.page,
        "getLedgerAccount": accounts.read,
        "freezeLedgerAccount": accounts.change("freeze"),
        "unfreezeLedgerAccount": accounts.change("unfreeze"),
        "closeLedgerAccount": accounts.change("close"),
        "approveLedgerAccount": accounts.approve,
    }
