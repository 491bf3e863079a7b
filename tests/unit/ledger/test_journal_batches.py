"""Many direct commands share a commit; one that is refused or raises harms nobody else."""

from shared.eventlog.memory import MemoryStore
from tests.unit.ledger.journal_records import many_in_a_batch


async def test_in_a_batch_a_refused_or_raising_command_harms_nobody() -> None:
    await many_in_a_batch(MemoryStore(shards=1))
