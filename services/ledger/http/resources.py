"""What the ledger's HTTP answers: the same structs make the JSON and the OpenAPI schemas."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from shared.contracts.ledger import AccountCode, Posting
from shared.http.resource import Day, Instant, Minor, Next, Resource

Place = Annotated[str, Meta(description="Where this stands, `ledger.3.17`; give it back as `min_position`")]
Net = Annotated[int, Meta(description="Debits less credits, in whole minor units (cents)")]

_MayBe = str | None | UnsetType


class Balance(Resource, frozen=True, kw_only=True):
    """All postings of one code, sub-key and currency: of one account, or of all together where `account_id` is null."""

    account_id: str | None
    code: AccountCode
    sub_key: str
    currency: str
    debit_minor: Minor
    credit_minor: Minor
    balance_minor: Net


class BalancePage(Resource, frozen=True, kw_only=True):
    """Balances in the order of code, sub-key and currency; they are at least as new as `position`."""

    items: tuple[Balance, ...]
    next: Next = None
    position: Place


class Entry(Resource, frozen=True, kw_only=True):
    """One balanced entry as the log holds it; what it has not is left out.

    `account_id` is the household, or the stream of a processor, bank account or journal; `group_id` joins the entries
    of one cause, `reverses` names the entry that this one takes back.
    """

    position: Place
    recorded_at: Instant
    account_id: str
    entry_id: str
    group_id: str
    rule: str
    cause_type: str
    cause: str
    payment_id: _MayBe = UNSET
    invoice_id: _MayBe = UNSET
    processor_ref: _MayBe = UNSET
    effective_date: Day
    currency: str
    postings: tuple[Posting, ...]
    reverses: _MayBe = UNSET
    case_id: _MayBe = UNSET
    reference: _MayBe = UNSET


class EntryPage(Resource, frozen=True, kw_only=True):
    """Entries, the newest first: of an account or payment as they were booked, else by effective day."""

    items: tuple[Entry, ...]
    next: Next = None


class StatementLine(Resource, frozen=True, kw_only=True):
    """One posting. `balance_minor` is that of its code, sub-key and currency after it; `owed_minor` what the household
    owes then, less its credit (1210, 1240 and 1250 less 2110), null where it is no household's statement.
    """

    position: Place
    recorded_at: Instant
    effective_date: Day
    entry_id: str
    account_id: str
    rule: str
    code: AccountCode
    sub_key: str
    currency: str
    debit_minor: Minor
    credit_minor: Minor
    balance_minor: Net
    owed_minor: Annotated[int | None, Meta(description="Debits less credits, in whole minor units (cents)")]


class Statement(Resource, frozen=True, kw_only=True):
    """Lines, the oldest first: of a household in the order of its story, of a house-wide account by effective day."""

    items: tuple[StatementLine, ...]
    next: Next = None


class TrialBalanceRow(Resource, frozen=True, kw_only=True):
    code: AccountCode
    currency: str
    debit_minor: Minor
    credit_minor: Minor


class TrialBalance(Resource, frozen=True, kw_only=True):
    """All postings up to the end of a day, by effective date; both columns have the same sum in each currency.

    `positions` says how much of each of the ledger's shards is in it.
    """

    as_of: Day
    lines: tuple[TrialBalanceRow, ...]
    positions: dict[str, int]
