"""A tenant's journal (`jrn_…`): its ledger accounts, what waits for approval, and what its direct entries have left."""

import msgspec

from services.ledger.domain.accounts import Accounts
from services.ledger.domain.limits import balance_key
from services.ledger.domain.proposals import (
    ChangePlan,
    Closing,
    Ended,
    Proposal,
    Waiting,
    plan_of,
)
from services.ledger.domain.shelves import Shelves
from services.ledger.domain.takebacks import Takeable, takeable
from shared.contracts.direct import (
    AccountChangeProposed,
    JournalProposed,
    LedgerAccountChanged,
    ProposalApproved,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.event import Event
from shared.contracts.ledger import EntryPosted

PREFIX = "jrn_"
NOBODY = ""


class Journal(msgspec.Struct, frozen=True):
    """All that decisions about direct commands need.

    `changing` names, by account, the proposal that waits to change it, also before it is opened; empty where none does.
    """

    stream: str
    accounts: Accounts = Accounts()
    proposals: Shelves[Proposal] = Shelves()
    changing: Shelves[str] = Shelves()
    entries: Shelves[Takeable] = Shelves()

    def change_of(self, plan: ChangePlan) -> str:
        """Return the proposal that waits to change the account of a plan, empty where none does."""
        return self.changing.find(_account_of(plan)) or NOBODY


def initial(stream: str) -> Journal:
    """Return the state before the first command."""
    return Journal(stream)


def evolve(journal: Journal, event: Event) -> Journal:
    """Fold one event of the journal's stream."""
    match event:
        case JournalProposed() | ReversalProposed() | AccountChangeProposed():
            plan = plan_of(event)
            waiting = Waiting(plan, event.digest, event.approvals_needed, event.approve_by)
            journal = _with(journal, event.proposal_id, waiting)
            return _changing(journal, plan, event.proposal_id) if isinstance(plan, ChangePlan) else journal
        case ProposalApproved():
            return _approved(journal, event)
        case ProposalEnded():
            return _ended(journal, event.proposal_id)
        case EntryPosted():
            return _posted(journal, event)
        case LedgerAccountChanged():
            changed = msgspec.structs.replace(journal, accounts=journal.accounts.changed(event))
            return _ended(changed, event.proposal_id) if event.status == "closed" else changed
        case _:
            return journal


def _with(journal: Journal, proposal_id: str, proposal: Proposal) -> Journal:
    return msgspec.structs.replace(journal, proposals=journal.proposals.put(proposal_id, proposal))


def _changing(journal: Journal, plan: ChangePlan, proposal_id: str) -> Journal:
    return msgspec.structs.replace(journal, changing=journal.changing.put(_account_of(plan), proposal_id))


def _account_of(plan: ChangePlan) -> str:
    return balance_key(plan.code, plan.currency, plan.sub_key)


def _approved(journal: Journal, event: ProposalApproved) -> Journal:
    proposal = journal.proposals.find(event.proposal_id)
    if not isinstance(proposal, Waiting):
        return journal
    if not event.is_last:
        approvers = (*proposal.approvers, event.approved_by)
        return _with(journal, event.proposal_id, msgspec.structs.replace(proposal, approvers=approvers))
    match proposal.plan:
        case ChangePlan(change="close") as plan:
            account = journal.accounts.at(plan.code, plan.currency, plan.sub_key)
            before = "open" if account is None else account.status
            return _with(journal, event.proposal_id, Closing(plan, proposal.digest, before))
        case _:
            return _ended(journal, event.proposal_id)


def _ended(journal: Journal, proposal_id: str) -> Journal:
    match journal.proposals.find(proposal_id):
        case Waiting(plan=ChangePlan() as plan, digest=digest) | Closing(plan=plan, digest=digest):
            return _changing(_with(journal, proposal_id, Ended(digest)), plan, NOBODY)
        case Waiting(digest=digest):
            return _with(journal, proposal_id, Ended(digest))
        case _:
            return journal


def _posted(journal: Journal, entry: EntryPosted) -> Journal:
    accounts = journal.accounts.moved(entry)
    if entry.reverses is None:
        entries = journal.entries.put(entry.entry_id, takeable(entry))
    else:
        reversed_entry = journal.entries.find(entry.reverses)
        entries = journal.entries
        if reversed_entry is not None:
            entries = entries.put(entry.reverses, reversed_entry.less(entry.postings))
    return msgspec.structs.replace(journal, accounts=accounts, entries=entries)
