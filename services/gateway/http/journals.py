"""Entries by hand and what takes them back: asked for, read, approved."""

from zoneinfo import ZoneInfo

from services.gateway.domain.direct import FINAL_PROPOSAL, direct_stream, is_entry_id
from services.gateway.http.bodies.changes import ApprovalBody
from services.gateway.http.bodies.direct import JournalBody, ReversalBody, check_journal, check_reversal
from services.gateway.http.bodies.parsing import parse
from services.gateway.http.direct_views import DirectViews
from services.gateway.http.finance import today
from services.gateway.http.lookups import Lookups
from services.gateway.http.people import People, noted
from services.gateway.http.posting import Change
from services.gateway.http.requests import Requests
from services.gateway.http.things import Sort, Things
from shared.auth.roles import reads_notes
from shared.clock import rfc3339
from shared.contracts.direct import JournalRequested, ProposalDecisionRequested, ReversalRequested
from shared.http.call import Answer, Call, answer
from shared.http.problems import Problem

JOURNAL = Sort("journal", "jnl", "/v1/journals/", FINAL_PROPOSAL)
REVERSAL = Sort("reversal", "rev", "/v1/entries/", FINAL_PROPOSAL)


class Approvals:
    """Commits somebody's yes or no to a proposal of the ledger, which counts whose it was."""

    def __init__(self, things: Things, requests: Requests) -> None:
        self._things = things
        self._requests = requests

    async def decide(self, call: Call, operation: str, subject: str, proposal_id: str, body: ApprovalBody) -> Answer:
        """Commit the decision; `subject` is what the address names."""
        stream = direct_stream(call.principal.tenant)
        return await self._requests.submit(
            call,
            operation,
            subject,
            None,
            self._things.shard_of(call, stream),
            lambda request_id: ProposalDecisionRequested(
                account_id=stream,
                request_id=request_id,
                proposal_id=proposal_id,
                digest=body.digest,
                decision=body.decision,
                received_at=rfc3339(call.received_at),
            ),
        )


class Journals:
    """The handlers of /v1/journals."""

    def __init__(
        self, things: Things, approvals: Approvals, lookups: Lookups, views: DirectViews, people: People, zone: ZoneInfo
    ) -> None:
        self._things = things
        self._approvals = approvals
        self._lookups = lookups
        self._views = views
        self._people = people
        self._zone = zone

    async def create(self, call: Call) -> Answer:
        """Seal the note, then commit the proposal of an entry."""
        call.key()
        body = parse(JournalBody, call.body)
        legs = check_journal(body, today(call, self._zone))
        principal, stream = call.principal, direct_stream(call.principal.tenant)
        version = await noted(self._people, principal.tenant, principal.id, body.note)
        return await self._things.make(
            call,
            JOURNAL,
            "journals.create",
            None,
            self._things.shard_of(call, stream),
            lambda journal_id: JournalRequested(
                account_id=stream,
                journal_id=journal_id,
                effective_date=body.effective_date,
                currency=body.currency,
                reason=body.reason,
                legs=legs,
                note_version=version,
                received_at=rfc3339(call.received_at),
                reference=body.reference,
            ),
            lambda journal_id: self._views.journal(principal.tenant, journal_id, with_note=reads_notes(principal.role)),
        )

    async def read(self, call: Call) -> Answer:
        """Return a journal."""
        principal, journal_id = call.principal, call.params[0]
        await self._lookups.thing(principal, "journal", journal_id)
        return answer(await self._views.journal(principal.tenant, journal_id, with_note=reads_notes(principal.role)))

    async def approve(self, call: Call) -> Answer:
        """Commit somebody's yes or no to a journal."""
        call.key()
        body = parse(ApprovalBody, call.body)
        journal_id = call.params[0]
        await self._lookups.thing(call.principal, "journal", journal_id)
        return await self._approvals.decide(call, "journals.approval", journal_id, journal_id, body)


class Reversals:
    """The handlers of /v1/entries; whether there is such an entry, and what is left of it, only the ledger knows."""

    def __init__(
        self, things: Things, approvals: Approvals, views: DirectViews, people: People, zone: ZoneInfo, shards: int
    ) -> None:
        self._things = things
        self._approvals = approvals
        self._views = views
        self._people = people
        self._zone = zone
        self._shards = shards

    async def create(self, call: Call) -> Answer:
        """Seal the note, then commit the proposal to take an entry back."""
        call.key()
        body = parse(ReversalBody, call.body)
        parts = check_reversal(body, today(call, self._zone))
        entry_id = self._entry(call)
        principal, stream = call.principal, direct_stream(call.principal.tenant)
        version = await noted(self._people, principal.tenant, principal.id, body.note)
        return await self._things.make(
            call,
            REVERSAL,
            "reversals.create",
            None,
            self._things.shard_of(call, stream),
            lambda reversal_id: ReversalRequested(
                account_id=stream,
                reversal_id=reversal_id,
                entry_id=entry_id,
                effective_date=body.effective_date,
                reason=body.reason,
                legs=parts,
                note_version=version,
                received_at=rfc3339(call.received_at),
            ),
            lambda reversal_id: self._views.reversal(
                principal.tenant, reversal_id, with_note=reads_notes(principal.role)
            ),
            Change("reversals.create", entry_id),
            f"{REVERSAL.where}{entry_id}/reversal",
        )

    async def page(self, call: Call) -> Answer:
        """Return a page of what was asked for to take an entry back."""
        principal, entry_id = call.principal, self._entry(call)
        page = await self._views.reversals(
            principal.tenant, entry_id, call.query.get("cursor"), call.limit(), with_notes=reads_notes(principal.role)
        )
        return answer(page)

    async def approve(self, call: Call) -> Answer:
        """Commit somebody's yes or no to the reversal of an entry that has the digest which they have seen."""
        call.key()
        body = parse(ApprovalBody, call.body)
        entry_id = self._entry(call)
        proposal_id = await self._views.proposal(call.principal.tenant, entry_id, body.digest)
        return await self._approvals.decide(call, "reversals.approval", entry_id, proposal_id, body)

    def _entry(self, call: Call) -> str:
        """Return the entry that the address names; one that no shard can have is unknown."""
        entry_id = call.params[0]
        if not is_entry_id(entry_id, self._shards):
            raise Problem("entry_unknown")
        return entry_id
