"""Direct commands: each is proposed, approved by two different people over one digest, and only then done."""

from collections.abc import Sequence
from typing import assert_never

from services.ledger.domain.entries import followed_by
from services.ledger.domain.journal import Journal
from services.ledger.domain.judgement import Fault, fault_of
from services.ledger.domain.proposals import (
    APPROVAL_TERM,
    APPROVALS_NEEDED,
    ChangePlan,
    Closing,
    EntryPlan,
    Proposed,
    Waiting,
    plan_of,
    with_digest,
)
from services.ledger.domain.rules import Step, leg
from services.ledger.domain.takebacks import mirrored
from shared.contracts.direct import (
    AccountChangeProposed,
    AccountChangeRequested,
    DirectCommandRefused,
    DirectRefusal,
    JournalProposed,
    JournalRequested,
    LedgerAccountChanged,
    ProposalApproved,
    ProposalDecisionRequested,
    ProposalEnded,
    ReversalProposed,
    ReversalRequested,
)
from shared.contracts.event import Event
from shared.decider import Command, Context
from shared.instants import text_of


class LapseProposal(Command, frozen=True, kw_only=True):
    """End a proposal that not enough people approved in time."""

    TYPE = "ledger.lapse-proposal.v1"
    account_id: str
    proposal_id: str


class EndClosing(Command, frozen=True, kw_only=True):
    """Close a frozen account, or let it go on: `balance_minor` is what all shards hold of it at `positions`."""

    TYPE = "ledger.end-closing.v1"
    account_id: str
    proposal_id: str
    balance_minor: int
    positions: dict[str, int]


def request_journal(request: JournalRequested, journal: Journal, context: Context) -> Sequence[Event]:
    """Propose an entry."""
    proposed = JournalProposed(
        account_id=journal.stream,
        proposal_id=request.journal_id,
        digest="",
        approvals_needed=APPROVALS_NEEDED,
        approve_by=text_of(context.recorded_at + APPROVAL_TERM),
        effective_date=request.effective_date,
        currency=request.currency,
        reason=request.reason,
        legs=request.legs,
        note_version=request.note_version,
        reference=request.reference,
    )
    return _propose(with_digest(proposed), journal, context)


def request_reversal(request: ReversalRequested, journal: Journal, context: Context) -> Sequence[Event]:
    """Propose to take back some of an entry of this journal, or all that is left of it."""
    entry = journal.entries.find(request.entry_id)
    proposed = ReversalProposed(
        account_id=journal.stream,
        proposal_id=request.reversal_id,
        digest="",
        approvals_needed=APPROVALS_NEEDED,
        approve_by=text_of(context.recorded_at + APPROVAL_TERM),
        entry_id=request.entry_id,
        effective_date=request.effective_date,
        currency="" if entry is None else entry.currency,
        reason=request.reason,
        legs=mirrored(request.legs or (() if entry is None else entry.left)),
        note_version=request.note_version,
    )
    return _propose(with_digest(proposed), journal, context)


def request_change(request: AccountChangeRequested, journal: Journal, context: Context) -> Sequence[Event]:
    """Propose to change an account; a sub-key that no row can hold raises ValueError: the request is parked."""
    if "\0" in request.sub_key:
        raise ValueError(f"the sub-key of {request.change_id} holds a NUL")
    proposed = AccountChangeProposed(
        account_id=journal.stream,
        proposal_id=request.change_id,
        digest="",
        approvals_needed=APPROVALS_NEEDED,
        approve_by=text_of(context.recorded_at + APPROVAL_TERM),
        ledger_account_id=request.ledger_account_id,
        change=request.change,
        code=request.code,  # type: ignore[arg-type]
        sub_key=request.sub_key,
        currency=request.currency,
    )
    return _propose(with_digest(proposed), journal, context)


def _propose(proposed: Proposed, journal: Journal, context: Context) -> tuple[Event, ...]:
    """Return the proposal, or why it may not be; a taken id adds nothing."""
    if journal.proposals.find(proposed.proposal_id) is not None:
        return ()
    fault = fault_of(plan_of(proposed), journal, context.today, proposed.proposal_id)
    return (proposed,) if fault is None else (_refused(journal, proposed.proposal_id, fault),)


def _refused(journal: Journal, subject: str, fault: Fault) -> Event:
    return DirectCommandRefused(account_id=journal.stream, subject=subject, reason=fault.reason, field=fault.field)


def decide_proposal(request: ProposalDecisionRequested, journal: Journal, context: Context) -> Sequence[Event]:
    """Count one person's approval, do what is proposed at the last one, or end it at one person's no."""
    proposal = journal.proposals.find(request.proposal_id)
    if proposal is None:
        return (_refused(journal, request.request_id, Fault("proposal_unknown", "proposal_id")),)
    if request.digest != proposal.digest:
        return (_refused(journal, request.request_id, Fault("digest_differs", "digest")),)
    if not isinstance(proposal, Waiting) or request.received_at > proposal.approve_by:
        return (_refused(journal, request.request_id, Fault("proposal_ended")),)
    if request.decision == "reject":
        return (_ended(journal, request.proposal_id, request.request_id, "rejected"),)
    if context.actor.id in proposal.approvers:
        return (_refused(journal, request.request_id, Fault("already_approved")),)
    is_last = len(proposal.approvers) + 1 >= proposal.approvals_needed
    approved = ProposalApproved(
        account_id=journal.stream,
        proposal_id=request.proposal_id,
        request_id=request.request_id,
        approved_by=context.actor.id,
        is_last=is_last,
    )
    return _do(approved, proposal, journal, context) if is_last else (approved,)


def _do(approved: ProposalApproved, proposal: Waiting, journal: Journal, context: Context) -> tuple[Event, ...]:
    """Return the last approval with what it does, or the refusal of what the books do not allow any more."""
    fault = fault_of(proposal.plan, journal, context.today, approved.proposal_id)
    if fault is not None:
        return (_ended(journal, approved.proposal_id, approved.request_id, "refused", fault.reason),)
    match proposal.plan:
        case EntryPlan() as plan:
            step = _step(plan, approved.proposal_id, journal)
            return followed_by(approved, (step,), journal.stream, context)
        case ChangePlan() as plan:
            return (approved, _changed(journal, approved.proposal_id, plan, STATUS_AFTER[plan.change]))
        case _:
            assert_never(proposal.plan)


STATUS_AFTER = {"open": "open", "freeze": "frozen", "unfreeze": "open", "close": "frozen"}
"""A close is a freeze until the balance is known."""


def _step(plan: EntryPlan, proposal_id: str, journal: Journal) -> Step:
    """PR-J, a journal; PR-JR, what takes one back: under the same reference, so that both meet the same line."""
    postings = tuple(leg(one.side, one.code, one.sub_key, one.amount_minor) for one in plan.legs)  # type: ignore[arg-type]
    taken_back = None if plan.reverses is None else journal.entries.find(plan.reverses)
    return Step(
        "PR-J" if plan.reverses is None else "PR-JR",
        plan.effective_date,
        plan.currency,
        postings,
        reverses=plan.reverses,
        reference=(plan.reference if taken_back is None else taken_back.reference) or proposal_id,
        proposal_id=proposal_id,
    )


def _changed(
    journal: Journal, proposal_id: str, plan: ChangePlan, status: str, positions: dict[str, int] | None = None
) -> Event:
    return LedgerAccountChanged(
        account_id=journal.stream,
        proposal_id=proposal_id,
        ledger_account_id=plan.ledger_account_id,
        code=plan.code,
        sub_key=plan.sub_key,
        currency=plan.currency,
        status=status,  # type: ignore[arg-type]
        positions=positions,
    )


def _ended(
    journal: Journal, proposal_id: str, request_id: str | None, outcome: str, reason: DirectRefusal | None = None
) -> Event:
    return ProposalEnded(
        account_id=journal.stream,
        proposal_id=proposal_id,
        request_id=request_id,
        outcome=outcome,  # type: ignore[arg-type]
        reason=reason,
    )


def lapse(command: LapseProposal, journal: Journal, context: Context) -> Sequence[Event]:
    """End a proposal that still waits after its time; before it, nothing."""
    proposal = journal.proposals.find(command.proposal_id)
    if isinstance(proposal, Waiting) and text_of(context.recorded_at) > proposal.approve_by:
        return (_ended(journal, command.proposal_id, None, "lapsed"),)
    return ()


def end_closing(command: EndClosing, journal: Journal, context: Context) -> Sequence[Event]:
    """Close an account whose balance is zero; else it stands as it stood before. Done once."""
    proposal = journal.proposals.find(command.proposal_id)
    if not isinstance(proposal, Closing):
        return ()
    plan = proposal.plan
    if command.balance_minor == 0:
        return (_changed(journal, command.proposal_id, plan, "closed", command.positions),)
    ended = _ended(journal, command.proposal_id, None, "refused", "balance_not_zero")
    return (_changed(journal, command.proposal_id, plan, proposal.before), ended)
