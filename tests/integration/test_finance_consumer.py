"""The example consumer of the finance topics, run as its page says, on a real broker."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shared.contracts.direct import TrialBalanceLine, TrialBalanceReported
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor, Event
from shared.contracts.ledger import AgeBucket, ExceptionChanged, ReconciliationReported
from shared.contracts.topics import RECONCILIATION_DAILY, RECONCILIATION_EXCEPTIONS, TRIAL_BALANCE
from shared.eventlog.outgoing import outgoing
from shared.eventlog.ports import EventRow, Outgoing
from tests.conftest import Infra
from tests.integration.inbox_bench import SHARDS, new_topic, publisher_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "finance_consumer.py"
TOPICS = (RECONCILIATION_DAILY, RECONCILIATION_EXCEPTIONS, TRIAL_BALANCE)
OPEN = ExceptionChanged(
    id="exc_1_a", account="1126", sub_key="card", currency="USD", kind="late", minor=70_000, since="2026-02-03",
    state="open", reason=None, references=("po_1",),
)  # fmt: skip


def day(account: str, book_minor: int, difference_minor: int, unexplained_minor: int) -> ReconciliationReported:
    return ReconciliationReported(
        day="2026-02-09", account=account, sub_key="card", currency="USD", book_minor=book_minor, bank_minor=None,
        processor_minor=None, difference_minor=difference_minor, positions={},
        open_exceptions=(AgeBucket(days="0-1", count=0, minor=0),), unexplained_minor=unexplained_minor,
    )  # fmt: skip


def trial_balance(day: str, minor: int) -> TrialBalanceReported:
    lines = tuple(
        TrialBalanceLine(code=code, currency="USD", debit_minor=debit_minor, credit_minor=minor - debit_minor)
        for code, debit_minor in (("1125", minor), ("2110", 0))
    )
    return TrialBalanceReported(day=day, lines=lines, positions={})


def sent(*events: Event) -> list[Outgoing]:
    """Return what the ledger's relay sends for events of its shard 1."""
    rows = [_row(position, event) for position, event in enumerate(events, start=1)]
    return outgoing("ledger", 1, SHARDS, rows, {})[0]


def _row(position: int, event: Event) -> EventRow:
    data = seal(
        Envelope(
            tenant="demo", event_id=f"{position:032x}", type=event.TYPE, stream="prc_card", version=position,
            recorded_at="2026-02-10T12:00:00.000000Z", effective_date="2026-02-10", actor=Actor("system", "ledger"),
            correlation="c", causation=None, payload=encode_event(event),
        )
    )  # fmt: skip
    return EventRow(1, position, "prc_card", position, position.to_bytes(16, "big"), event.TYPE, data)


def on(names: dict[str, str], messages: Sequence[Outgoing]) -> list[Outgoing]:
    """Return the messages of the finance topics, on topics of this test."""
    return [msgspec.structs.replace(one, topic=names[one.topic]) for one in messages if one.topic in names]


async def run(bootstrap: str, names: dict[str, str]) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), bootstrap, "--once",
        "--daily", names[RECONCILIATION_DAILY], "--exceptions", names[RECONCILIATION_EXCEPTIONS],
        "--trial-balance", names[TRIAL_BALANCE],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return printed.decode().splitlines()


async def test_it_shows_the_newest_of_each_day_and_what_is_open_whatever_is_sent_twice(stack_infra: Infra) -> None:
    bootstrap = stack_infra.bootstrap
    names = {topic: await new_topic(bootstrap) for topic in TOPICS}
    explained = msgspec.structs.replace(OPEN, state="explained", reason="timing")
    resolved = msgspec.structs.replace(OPEN, id="exc_1_b", state="resolved", references=("po_2",))
    messages = on(
        names,
        sent(
            day("1125", 1_816_500, -500, 500),
            OPEN,
            day("1125", 1_817_000, 0, 0),
            day("1126", 70_000, 70_000, 0),
            explained,
            resolved,
            trial_balance("2026-02-08", 1),
            trial_balance("2026-02-09", 2),
            trial_balance("2026-02-09", 3),
        ),
    )
    async with publisher_of(bootstrap) as publisher:
        await publisher.publish(messages)
        await publisher.publish(messages[:2])  # a relay that had crashed sends again

    assert await run(bootstrap, names) == [
        "day         account                    books      difference     unexplained",
        "2026-02-09  1125 card              18,170.00            0.00            0.00 USD",
        "2026-02-09  1126 card                 700.00          700.00            0.00 USD",
        "2026-02-03  1126 card         late                  700.00 USD  po_1  (explained: timing)",
        "2026-02-09  trial balance 1125            0.03            0.00 USD",
        "2026-02-09  trial balance 2110            0.00            0.03 USD",
    ]


async def test_it_shows_nothing_but_its_head_where_nothing_is_reported(stack_infra: Infra) -> None:
    bootstrap = stack_infra.bootstrap
    names = {topic: await new_topic(bootstrap) for topic in TOPICS}

    assert len(await run(bootstrap, names)) == 1
