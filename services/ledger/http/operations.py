"""Every operation of the ledger's HTTP in one table. All are GETs; members have none."""

from services.ledger.http import resources
from shared.auth.roles import Permission
from shared.http.operation import CURSOR, Operation, Parameter, get

MOST_ITEMS = 500
_LIMIT = Parameter("limit", "Items on a page", {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 50})
_DAY = {"type": "string", "format": "date"}
_ACCOUNT = Parameter("account_id", "Of this household, or of the stream of a processor, bank account or journal")
_CODE = Parameter("code", "Of this account code", {"type": "string", "pattern": "^[0-9]{4}$"})
_SUB_KEY = Parameter("sub_key", "Of this sub-key of the code")
_CURRENCY = Parameter("currency", "Of a house-wide account; `USD` where it is not said")
_AS_OF = Parameter("as_of", "The day; today in the exchange's zone where it is not said", _DAY)
_PAYMENT = Parameter("payment_id", "Of this payment")
_FROM = Parameter("effective_from", "Effective on or after this day", _DAY)
_TO = Parameter("effective_to", "Effective on or before this day", _DAY)
_FILTERS = ("filter_missing", "filter_excluded")


def _read(id: str, path: str, summary: str, answer: type, problems: tuple[str, ...], *more: Parameter) -> Operation:
    return get(id, path, summary, answer, problems, *more, permission=Permission.READ_BOOKS)


OPERATIONS: tuple[Operation, ...] = (
    _read("listBalances", "/v1/balances", "Balances of an account, or of a code over all accounts",
          resources.BalancePage, (*_FILTERS, "account_unknown", "history_not_ready"),
          _ACCOUNT, _CODE, _SUB_KEY, CURSOR, _LIMIT),
    _read("listEntries", "/v1/entries", "Entries, the newest first",
          resources.EntryPage, (*_FILTERS, "account_unknown", "payment_unknown", "history_not_ready"),
          _ACCOUNT, _PAYMENT, _CODE, _SUB_KEY, _CURRENCY, _FROM, _TO, CURSOR, _LIMIT),
    _read("getEntry", "/v1/entries/{entry_id}", "An entry", resources.Entry, ("entry_unknown",)),
    _read("getStatement", "/v1/statements", "Lines with running balances: of a household, or of a house-wide account",
          resources.Statement, (*_FILTERS, "account_unknown", "history_not_ready"),
          _ACCOUNT, _CODE, _SUB_KEY, _CURRENCY, _FROM, _TO, CURSOR, _LIMIT),
    _read("getTrialBalance", "/v1/trial-balance", "Debits and credits of each account code at the end of a day",
          resources.TrialBalance, (), _AS_OF),
    Operation("live", "GET", "/healthz/live", "Whether the process makes progress", {}, documented=False),
    Operation("ready", "GET", "/healthz/ready", "Whether the process can serve", {}, documented=False),
    Operation("metrics", "GET", "/metrics", "Metrics for Prometheus", {}, documented=False),
    Operation("openapi", "GET", "/openapi.json", "This document", {}, documented=False),
)  # fmt: skip
