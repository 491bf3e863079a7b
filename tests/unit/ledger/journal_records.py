"""Direct commands as records of the gateway's topic, decided by the ledger's real writer over any store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.ledger.handlers import REGISTRY
from shared.clock import ManualClock, rfc3339
from shared.contracts.direct import (
    AccountChangeProposed,
    DirectCommandRefused,
    JournalProposed,
    ProposalApproved,
    ProposalDecisionRequested,
    ProposalEnded,
    ReversalProposed,
)
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor, Event
from shared.contracts.ledger import EntryPosted
from shared.contracts.topics import LEDGER_COMMANDS
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Record, Store
from shared.eventlog.writer import Writer
from shared.ids import event_id
from tests.unit.ledger.journal_story import (
    ANNA,
    BEN,
    CASH,
    FEES,
    NOW,
    STREAM,
    change_request,
    journal_request,
    legs,
)

SHARD = 0
BOTH = (CASH, FEES)
PROPOSED = (JournalProposed, ReversalProposed, AccountChangeProposed)


class Commands:
    """A gateway shard's log, as records of one chain."""

    def __init__(self) -> None:
        self._position = 0
        self._hash = b""

    def record(self, message: Any, by: str = ANNA) -> Record:
        """Return the next record."""
        position = self._position + 1
        data = seal(
            Envelope(
                tenant="demo", event_id=event_id(position.to_bytes(14, "big"), 0).hex(), type=message.TYPE,
                stream=STREAM, version=position, recorded_at=rfc3339(NOW), effective_date="2026-03-10",
                actor=Actor("staff", by), correlation="c", causation=None, payload=encode_event(message),
            )
        )  # fmt: skip
        record = Record(
            topic=LEDGER_COMMANDS, partition=SHARD, offset=position - 1, key=message.account_id, value=data,
            source="gateway", source_shard=SHARD, position=position, previous=self._position,
            previous_hash=self._hash, type=message.TYPE,
        )  # fmt: skip
        self._position, self._hash = position, leaf_hash(data)
        return record


@asynccontextmanager
async def writing(store: Store) -> AsyncIterator[Writer]:
    """Hold the shard by the ledger's writer until the block ends."""
    writer = Writer(REGISTRY, SHARD, store, ManualClock(NOW), ZoneInfo("America/New_York"))
    await writer.take_over()
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await writer.stop()
        await running


async def said(store: Store) -> list[Event]:
    """Return all events of the log."""
    return [open_fact(row.data).event for row in await store.read(SHARD, 0, 10_000)]


async def approve_all(writer: Writer, store: Store, commands: Commands) -> None:
    """Have two people approve, in one batch, everything that was proposed and has no approval yet."""
    events = await said(store)
    begun = {event.proposal_id for event in events if isinstance(event, ProposalApproved | ProposalEnded)}
    proposed = [event for event in events if isinstance(event, PROPOSED) and event.proposal_id not in begun]
    await writer.submit_batch(
        [
            commands.record(
                ProposalDecisionRequested(
                    account_id=one.account_id, request_id=f"req_{by}_{one.proposal_id}",
                    proposal_id=one.proposal_id, digest=one.digest, decision="approve", received_at=rfc3339(NOW),
                ),
                by,
            )
            for one in proposed
            for by in (ANNA, BEN)
        ]
    )  # fmt: skip


async def many_in_a_batch(store: Store, journals: int = 60) -> None:
    """Every third journal is refused, every fifth meets one that raises: all others are posted, in order, once."""
    commands = Commands()
    broken = msgspec.structs.replace(change_request("open", "1010/a\0b"), account_id="jrn_broken")
    async with writing(store) as writer:
        await writer.submit_batch([commands.record(change_request("open", place, f"chg_{place}")) for place in BOTH])
        await approve_all(writer, store, commands)
        batch = []
        for number in range(journals):
            asked = legs(number + 1, credit="1010/nobody" if number % 3 == 0 else CASH)
            batch.append(commands.record(journal_request(*asked, name=f"jnl_{number}")))
            if number % 5 == 0:
                batch.append(commands.record(msgspec.structs.replace(broken, change_id=f"chg_broken_{number}")))
        before = writer.position
        await asyncio.gather(writer.submit_batch(batch), writer.submit_batch(batch))
        assert writer.position == before + journals
        await approve_all(writer, store, commands)
        await approve_all(writer, store, commands)

    events = await said(store)
    good = [number for number in range(journals) if number % 3]
    assert [event.subject for event in events if isinstance(event, DirectCommandRefused)] == [
        f"jnl_{number}" for number in range(0, journals, 3)
    ]
    entries = [event for event in events if isinstance(event, EntryPosted)]
    assert [(entry.reference, entry.postings[0].amount_minor) for entry in entries] == [
        (f"jnl_{number}", number + 1) for number in good
    ]
    parked = await store.holds(SHARD)
    assert {one.key for one in parked} == {"jrn_broken"}
    assert len(parked) == journals // 5
