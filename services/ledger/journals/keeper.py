"""Ends what waits in journals: lapses what was not approved in time, and closes frozen accounts that hold nothing."""

import asyncio
from collections.abc import Sequence

import msgspec

from services.ledger.domain.direct import EndClosing, LapseProposal
from services.ledger.domain.journal import PREFIX, Journal, evolve, initial
from services.ledger.domain.proposals import ChangePlan
from services.ledger.handlers import REGISTRY
from services.ledger.journals.open_proposals import Name, OpenProposals
from services.ledger.journals.reading import Held, held, journals
from shared.contracts.event import Actor
from shared.decider import Command
from shared.errors import WorldFault
from shared.eventlog.command import Submitted
from shared.eventlog.desk import Unread, open_own, schema_hashes
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.ports import EventRow, StoredState
from shared.eventlog.task_part import TaskPart
from shared.ids import event_id, root_of_key
from shared.instants import text_of
from shared.telemetry import metrics
from shared.telemetry.logs import logger

log = logger(__name__)

TICK_S = 1.0
WAIT_FOR_PROJECTIONS_S = 0.1


class JournalKeeper(TaskPart):
    """A part of a held shard of the ledger.

    It stores nothing: what is open is in the log, and a command that was decided already adds nothing. A frozen account
    is closed or let go once the projections of all shards have reached the ends that their logs had after the freeze.
    """

    def __init__(self, context: ShardContext, tick_s: float = TICK_S) -> None:
        super().__init__(context)
        self.open = OpenProposals()
        self._tick_s = tick_s
        self._loaded = False
        self._early: list[EventRow] = []

    def committed(self, rows: Sequence[EventRow]) -> None:
        """Fold a commit, or keep it until the journals are loaded."""
        if self._loaded:
            self.open.take(rows)
        else:
            self._early.extend(row for row in rows if row.stream.startswith(PREFIX))

    async def _run(self) -> None:
        while not await self._patiently(self._load):
            await asyncio.sleep(self._tick_s)
        await asyncio.gather(self._every(self._tick_s, self._lapse), self._every(self._tick_s, self._close))

    async def _load(self) -> None:
        context = self._context
        streams = await asyncio.to_thread(journals, context.dsn, context.shard)
        stored = await context.store.load(context.shard, streams, schema_hashes(REGISTRY)["jrn"])
        for stream, one in stored.items():
            journal = _journal(stream, one)
            if journal is not None:
                self.open.begin(stream, one.rows[-1].version if one.rows else one.version, journal)
        self.open.take(self._early)
        self._early.clear()
        self._loaded = True

    async def _lapse(self) -> None:
        metrics.PROPOSALS_WAITING.labels(str(self._context.shard)).set(len(self.open.waiting))
        due = self.open.due(text_of(self._context.clock.now()))
        await self._submit_all(
            [(name, LapseProposal(account_id=name.stream, proposal_id=name.proposal_id)) for name in due]
        )

    async def _close(self) -> None:
        closing = list(self.open.closing.items())
        metrics.ACCOUNTS_CLOSING.labels(str(self._context.shard)).set(len(closing))
        if not closing:
            return
        found = await self._held([plan for _, plan in closing])
        await self._submit_all(
            [
                (
                    name,
                    EndClosing(
                        account_id=name.stream,
                        proposal_id=name.proposal_id,
                        balance_minor=minor,
                        positions=found.positions,
                    ),
                )
                for (name, _), minor in zip(closing, found.balances_minor, strict=True)
            ]
        )

    async def _held(self, plans: Sequence[ChangePlan]) -> Held:
        ends = await self._context.store.ends(range(self._context.shards))
        while (found := await asyncio.to_thread(held, self._context.dsns, plans, ends)) is None:
            await asyncio.sleep(WAIT_FOR_PROJECTIONS_S)
        return found

    async def _submit_all(self, commands: Sequence[tuple[Name, Command]]) -> None:
        """Submit each, so that they can share a commit; one that fails is tried again, and keeps no other back."""
        answers = await asyncio.gather(*(self._submit(*one) for one in commands), return_exceptions=True)
        for (name, command), answer in zip(commands, answers, strict=True):
            if isinstance(answer, WorldFault):
                log.warning("journal_waits", stream=name.stream, command=command.TYPE, error=repr(answer))
            elif isinstance(answer, Exception):
                log.critical(
                    "journal_stands_still", proposal_id=name.proposal_id, command=command.TYPE, exc_info=answer
                )

    async def _submit(self, name: Name, command: Command) -> None:
        root = root_of_key(name.tenant, "ledger", command.TYPE, name.stream, name.proposal_id)
        await self._context.writer.submit(
            Submitted(
                command=command,
                tenant=name.tenant,
                root=root,
                actor=Actor("system", "ledger"),
                correlation=event_id(root, 0).hex(),
            )
        )


def _journal(stream: str, stored: StoredState) -> Journal | None:
    """Return a journal as it stands; None where a newer version, which will look after it, wrote in it."""
    journal = msgspec.json.decode(stored.snapshot, type=Journal) if stored.version else initial(stream)
    for row in stored.rows:
        event = open_own(row)
        if isinstance(event, Unread):
            return None
        journal = evolve(journal, event)
    return journal
