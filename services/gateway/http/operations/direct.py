"""Operations on entries by hand, on what takes them back, and on ledger accounts."""

from services.gateway.domain.direct import LedgerAccountStatus
from services.gateway.http.bodies import direct as bodies
from services.gateway.http.bodies.changes import ApprovalBody, EmptyBody
from services.gateway.http.operations.changes import post
from services.gateway.http.resources import direct
from services.gateway.http.resources.changes import Request
from shared.auth.roles import Permission
from shared.http.operation import CURSOR, LIMIT, Operation, Parameter, get

_CODE = Parameter("code", "Only of this code of the chart", {"type": "string", "pattern": "^[0-9]{4}$"})
_STATUS = Parameter(
    "status", "Only these", {"type": "string", "enum": [status.value for status in LedgerAccountStatus]}
)
_LEGS = ("amount_not_integer", "amount_not_positive", "amount_too_large", "account_code_invalid", "value_unsupported",
         "date_invalid", "day_in_future", "legs_too_few", "legs_too_many", "journal_unbalanced",
         "people_unavailable")  # fmt: skip
_DECISION = ("value_unsupported", "proposal_unknown")
_ACCOUNT = "/v1/ledger-accounts/{ledger_account_id}"

DIRECT: tuple[Operation, ...] = (
    post("createJournal", "/v1/journals", "Propose an entry by hand (finance)",
         direct.Journal, Permission.KEEP_BOOKS, bodies.JournalBody, (*_LEGS, "currency_unsupported")),
    get("getJournal", "/v1/journals/{journal_id}", "An entry by hand",
        direct.Journal, ("journal_unknown", "people_unavailable"), permission=Permission.READ_BOOKS),
    post("approveJournal", "/v1/journals/{journal_id}/approval", "Approve or reject an entry by hand (finance)",
         Request, Permission.APPROVE, ApprovalBody, ("value_unsupported", "journal_unknown")),
    post("createReversal", "/v1/entries/{entry_id}/reversal", "Propose to take an entry back, or parts of it (finance)",
         direct.Reversal, Permission.KEEP_BOOKS, bodies.ReversalBody, (*_LEGS, "entry_unknown")),
    get("listReversals", "/v1/entries/{entry_id}/reversal", "What was asked for to take an entry back, newest first",
        direct.ReversalPage, ("entry_unknown", "people_unavailable"), CURSOR, LIMIT,
        permission=Permission.READ_BOOKS),
    post("approveReversal", "/v1/entries/{entry_id}/reversal/approval", "Approve or reject a reversal (finance)",
         Request, Permission.APPROVE, ApprovalBody, (*_DECISION, "entry_unknown")),
    post("openLedgerAccount", "/v1/ledger-accounts", "Propose to open a ledger account (finance)",
         direct.LedgerAccount, Permission.KEEP_BOOKS, bodies.LedgerAccountBody,
         ("account_code_invalid", "currency_unsupported", "ledger_account_unknown")),
    get("listLedgerAccounts", "/v1/ledger-accounts", "Ledger accounts, those proposed last first",
        direct.LedgerAccountPage, (), CURSOR, LIMIT, _CODE, _STATUS, permission=Permission.READ_BOOKS),
    get("getLedgerAccount", _ACCOUNT, "A ledger account, and the change of it that waits for approval",
        direct.LedgerAccount, ("ledger_account_unknown",), permission=Permission.READ_BOOKS),
    *(
        post(f"{change}LedgerAccount", f"{_ACCOUNT}/{change}", f"Propose to {change} a ledger account (finance)",
             Request, Permission.KEEP_BOOKS, EmptyBody, ("ledger_account_unknown",))
        for change in ("freeze", "unfreeze", "close")
    ),
    post("approveLedgerAccount", f"{_ACCOUNT}/approval", "Approve or reject a change of a ledger account (finance)",
         Request, Permission.APPROVE, ApprovalBody, (*_DECISION, "ledger_account_unknown")),
)  # fmt: skip
