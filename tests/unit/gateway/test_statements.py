"""A request's plain row is got back from its record: what the event does not say stands in a header."""

import msgspec
import pytest

from services.gateway.statements import REQUEST, Listed, request_of
from shared.clock import SystemClock
from shared.contracts.envelope import open_fact
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from tests.unit.gateway.test_append import appending, wanted


@pytest.mark.parametrize("operation", [None, "payments.cancel"])
async def test_the_row_of_an_adopted_event_is_the_one_that_was_lost(operation: str | None) -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    asked = msgspec.structs.replace(wanted(1), reference="ABC", operation=operation, subject=operation and "pay_1")
    async with appending(store, clock=SystemClock()) as appender:
        await appender.append(asked)
    [row] = await store.read(0, 0, 10)
    listed = Listed(
        kind="payment", account_id="acc", reference="ABC", operation=operation, subject=operation and "pay_1"
    )
    side = request_of(row, open_fact(row.data), [("request", msgspec.json.encode(listed))])
    assert side is not None
    assert (side.statement, list(side.parameters)) == (REQUEST, store.side[REQUEST])


async def test_an_event_that_had_no_row_gets_none() -> None:
    store = MemoryStore(1, mode=Mode.SHARED)
    async with appending(store) as appender:
        await appender.append(wanted(1, kind=None))
    [row] = await store.read(0, 0, 10)
    assert request_of(row, open_fact(row.data), []) is None
    assert not store.side
