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
    """Balances in the order of code, sub-key and currency; `position` is the newest that any of them knows of."""

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
