"""Puts the HTTP side together."""

import time
from collections.abc import Mapping

from services.gateway.append import Appender
from services.gateway.auth.keys import Keys
from services.gateway.auth.tokens import Tokens
from services.gateway.config import GatewaySettings
from services.gateway.http.accounts import Accounts
from services.gateway.http.api import Api
from services.gateway.http.call import Handler
from services.gateway.http.change_views import ChangeViews
from services.gateway.http.database import Reads
from services.gateway.http.invoices import Invoices
from services.gateway.http.lookups import Lookups
from services.gateway.http.payments import Payments
from services.gateway.http.people import People
from services.gateway.http.posting import Posting
from services.gateway.http.requests import Requests
from services.gateway.http.system import System
from services.gateway.http.views import Views
from services.gateway.http.waiting import Bell, Outcomes, Places
from services.gateway.http.webhooks import CardWebhooks
from shared.clock import Clock


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
    lookups = Lookups(reads)
    views = Views(reads, settings.zone)
    posting = Posting(appender, lookups, settings.shards)
    outcomes = Outcomes(reads, bell)
    change_views = ChangeViews(reads)
    requests = Requests(posting, lookups, change_views, outcomes)
    accounts = Accounts(posting, lookups, views, outcomes, reads, people)
    invoices = Invoices(posting, lookups, views, outcomes)
    payments = Payments(posting, lookups, views, outcomes)
    webhooks = CardWebhooks(appender, settings.webhook_secrets(), settings.tenant, settings.shards, clock)
    handlers: Mapping[str, Handler] = {
        "createAccount": accounts.create,
        "getAccount": accounts.read,
        "getBalances": accounts.balances,
        "getHistory": accounts.history,
        "listInvoices": accounts.invoices,
        "listPayments": accounts.payments,
        "createInvoice": invoices.create,
        "getInvoice": invoices.read,
        "createPayment": payments.create,
        "getPayment": payments.read,
        "getReceipt": payments.receipt,
        "getRequest": requests.read,
        "receiveCardWebhook": webhooks.receive,
        "live": system.live,
        "ready": system.ready,
        "metrics": system.metrics,
        "openapi": system.openapi,
    }
    tokens = Tokens(settings.oidc_issuer, settings.oidc_audience, keys, time.time)
    places = Places(reads, bell, settings.shards, clock.monotonic)
    return Api(handlers, tokens, places, settings, clock)
