"""Direct commands as finance sends them, and what the ledger says of them, as events."""

from typing import Any

from shared.contracts.direct import (
    AccountChangeProposed,
    DirectCommandRefused,
    JournalProposed,
    LedgerAccountChanged,
    Leg,
    ProposalApproved,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted, Posting
from shared.ids import base32

BOOKS = "jrn_demo"
DAY = "2026-11-20"
UNTIL = "2026-11-27T00:00:00.000000Z"
DIGEST = "d" * 64
DEBIT = Leg(code="5020", sub_key="card", side="D", amount_minor=5)
CREDIT = Leg(code="1010", sub_key="trust-1", side="C", amount_minor=5)
_ENTRY: dict[str, Any] = {"effective_date": DAY, "currency": "USD", "reason": "fee", "note_version": 1}

DEBIT_BODY = {"code": "5020", "sub_key": "card", "side": "D", "amount_minor": 5}
CREDIT_BODY = {"code": "1010", "sub_key": "trust-1", "side": "C", "amount_minor": 5}
JOURNAL: dict[str, Any] = {
    "effective_date": DAY, "currency": "USD", "reason": "fee", "legs": [DEBIT_BODY, CREDIT_BODY],
    "note": "the bank's letter", "reference": "L-9",
}  # fmt: skip
REVERSAL: dict[str, Any] = {"effective_date": DAY, "reason": "correction"}


def entry_of(name: str) -> str:
    return f"ent_0_{base32(name.encode().ljust(16, b'_'))}"


def _proposal(proposal: str, digest: str) -> dict[str, Any]:
    return {"account_id": BOOKS, "proposal_id": proposal, "digest": digest, "approvals_needed": 2, "approve_by": UNTIL}


def journal_proposed(journal: str, digest: str = DIGEST) -> JournalProposed:
    return JournalProposed(**_proposal(journal, digest), **_ENTRY, legs=(DEBIT, CREDIT))


def reversal_proposed(reversal: str, entry: str, digest: str = DIGEST) -> ReversalProposed:
    return ReversalProposed(**_proposal(reversal, digest), **_ENTRY, entry_id=entry, legs=(CREDIT, DEBIT))


def change_proposed(change_id: str, account: str, change: Any = "open", digest: str = DIGEST) -> AccountChangeProposed:
    return AccountChangeProposed(
        **_proposal(change_id, digest), ledger_account_id=account, change=change, code="5020", sub_key="card",
        currency="USD",
    )  # fmt: skip


def approved(proposal: str, request: str, *, last: bool = False, by: str = "prn_a") -> ProposalApproved:
    return ProposalApproved(account_id=BOOKS, proposal_id=proposal, request_id=request, approved_by=by, is_last=last)


def ended(proposal: str, outcome: Any, request: str | None = None, reason: Any = None) -> ProposalEnded:
    return ProposalEnded(account_id=BOOKS, proposal_id=proposal, request_id=request, outcome=outcome, reason=reason)


def account_changed(change_id: str, account: str, status: Any) -> LedgerAccountChanged:
    return LedgerAccountChanged(
        account_id=BOOKS, proposal_id=change_id, ledger_account_id=account, code="5020", sub_key="card",
        currency="USD", status=status,
    )  # fmt: skip


def not_allowed(subject: str, reason: Any, field: str | None = None) -> DirectCommandRefused:
    return DirectCommandRefused(account_id=BOOKS, subject=subject, reason=reason, field=field)


def by_hand(entry: str, proposal: str, reference: str | None = "L-9") -> EntryPosted:
    """Return the entry of a proposal, by default as one that names a line; without it as before there were such."""
    return EntryPosted(
        account_id=BOOKS, entry_id=entry, group_id="g", rule="PR-J", cause_type="t", cause="c", effective_date=DAY,
        currency="USD", reference=reference or proposal, proposal_id=proposal if reference else None,
        postings=(
            Posting(code="5020", sub_key="card", side="D", amount_minor=5),
            Posting(code="1010", sub_key="trust-1", side="C", amount_minor=5),
        ),
    )  # fmt: skip


DIRECT: list[Event] = [
    change_proposed("req_3_open", "gla_3_a"),
    approved("req_3_open", "req_3_o1"),
    approved("req_3_open", "req_3_o2", last=True),
    account_changed("req_3_open", "gla_3_a", "open"),
    journal_proposed("jnl_3_a"),
    approved("jnl_3_a", "req_3_j1"),
    not_allowed("req_3_j2", "already_approved"),
    approved("jnl_3_a", "req_3_j3", last=True),
    by_hand("ent_3_a", "jnl_3_a"),
    journal_proposed("jnl_3_b"),
    ended("jnl_3_b", "rejected", "req_3_j4"),
    journal_proposed("jnl_3_c"),
    approved("jnl_3_c", "req_3_j5"),
    ended("jnl_3_c", "refused", "req_3_j6", "ledger_account_frozen"),
    not_allowed("jnl_3_d", "decided_elsewhere", "legs.0.code"),
    reversal_proposed("rev_3_a", "ent_3_a"),
    reversal_proposed("rev_3_b", "ent_3_a", "e" * 64),
    approved("rev_3_a", "req_3_r1"),
    approved("rev_3_a", "req_3_r2", last=True),
    by_hand("ent_3_b", "rev_3_a", None),
    ended("rev_3_b", "lapsed"),
    not_allowed("rev_3_c", "reversal_exceeds_entry"),
    change_proposed("req_3_freeze", "gla_3_a", "freeze"),
    account_changed("req_3_freeze", "gla_3_a", "frozen"),
    change_proposed("req_3_shut", "gla_3_a", "close"),
    account_changed("req_3_shut", "gla_3_a", "frozen"),
    ended("req_3_shut", "refused", reason="balance_not_zero"),
    account_changed("req_3_shut", "gla_3_a", "frozen"),
    change_proposed("req_3_close", "gla_3_a", "close"),
    change_proposed("req_3_other", "gla_3_b"),
    not_allowed("req_3_again", "ledger_account_exists"),
]
"""A story of direct commands, each with a different end."""
