"""One shard of billing without Kafka and PostgreSQL: the real writer over the store in memory, the real effect runner,
and the card simulator as a process."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from services.billing.effects.index import MemoryIndex
from services.billing.effects.kinds import effects_over
from services.billing.effects.outbox import Outbox, Submitter
from services.billing.effects.runner import EffectRunner
from services.billing.handlers import REGISTRY
from services.billing.rails.card import CardRail
from shared.clock import StackClock, rfc3339
from shared.contracts.envelope import open_fact
from shared.contracts.event import Actor, Event, Method, PremiumLine
from shared.contracts.gateway import AccountRequested, InvoiceRequested, PaymentRequested, PersonField
from shared.eventlog.command import Answer, Submitted
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import EventRow
from shared.eventlog.readable import Readable
from shared.eventlog.writer import Writer
from shared.ids import root_of_key
from tests.integration.card_simulator import KEY, Simulator, eventually

ZONE = ZoneInfo("America/New_York")
TENANT = "demo"
AMOUNT_MINOR = 12_500
E = TypeVar("E", bound=Event)


class Worker:
    """A worker that holds the shard: a writer and an effect runner, as a held shard wires them."""

    def __init__(self, store: MemoryStore, index: MemoryIndex, clock: StackClock, simulator: Simulator) -> None:
        self.writer = Writer(REGISTRY, 0, store, clock, ZONE, self._committed)
        self.rail = CardRail(KEY, simulator.url, "http://127.0.0.1/done")
        self.outbox = Outbox(self._submitter(), Actor("processor", "card"))
        self.runner = EffectRunner(
            0,
            store,
            index,
            effects_over(self.rail, self.outbox, clock, ZONE, "USD", Readable(store, 0)),
            clock,
        )
        self._task: asyncio.Task[None] | None = None

    def _submitter(self) -> Submitter:
        return self.writer

    def _committed(self, rows: Any) -> None:
        self.runner.committed(rows)

    async def start(self) -> None:
        await self.writer.take_over()
        self._task = asyncio.get_running_loop().create_task(self.writer.run())
        await self.runner.start()

    async def stop(self) -> None:
        """Drain, as on SIGTERM."""
        await self.runner.stop()
        await self.rail.close()
        await self.writer.stop()
        assert self._task is not None
        await asyncio.wait([self._task], timeout=5)

    async def crash(self) -> None:
        """End without a word: nothing is finished, nothing kept."""
        for task in (*self.runner._loop, *self.runner._calls, self._task):
            assert task is not None
            task.cancel()
            with suppress(BaseException):
                await task
        await self.rail.close()


@dataclass
class BillingShard:
    """Asks as the gateway would, and reads the log."""

    simulator: Simulator
    prefix: str
    store: MemoryStore = field(default_factory=lambda: MemoryStore(1))
    index: MemoryIndex = field(default_factory=MemoryIndex)
    numbers: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.clock = StackClock(self.simulator.clock_file)
        self.worker = self.new_worker()

    def new_worker(self) -> Worker:
        return Worker(self.store, self.index, self.clock, self.simulator)

    async def restart(self) -> None:
        """Crash the worker and have another take the shard."""
        await self.worker.crash()
        self.worker = self.new_worker()
        await self.worker.start()

    async def ask(self, request: Event) -> Answer:
        root = root_of_key(TENANT, "test", "ask", None, f"{self.prefix}{next(self.numbers)}")
        actor = Actor("member", "mem_1")
        submitted = Submitted(command=request, tenant=TENANT, root=root, actor=actor, correlation=root.hex())
        return await self.worker.writer.submit(submitted)

    async def pay(self, name: str, card: str = "pm_card_visa") -> str:
        """Open an account, bill it, ask for a payment, and return the payment's id."""
        at = rfc3339(self.clock.now())
        contact = (PersonField(field="email", version=1),)
        line = PremiumLine(policy_id="pol_1", coverage_month="2026-03", gross_minor=AMOUNT_MINOR)
        whole = self.prefix + name
        account_id, invoice_id, payment_id = f"acc_{whole}", f"inv_0_{whole}", f"pay_0_{whole}"
        await self.ask(
            AccountRequested(account_id=account_id, member_id="mem_1", language="en", contact=contact, received_at=at)
        )
        await self.ask(
            InvoiceRequested(
                account_id=account_id, invoice_id=invoice_id, due_date="2026-03-31", currency="USD", lines=(line,),
                received_at=at,
            )
        )  # fmt: skip
        await self.ask(
            PaymentRequested(
                payment_id=payment_id, reference="R", account_id=account_id, invoice_id=invoice_id,
                amount_minor=AMOUNT_MINOR, currency="USD", method=Method("card", card), received_at=at,
            )
        )  # fmt: skip
        return payment_id

    def rows(self) -> list[EventRow]:
        return list(self.store.shards[0].copies)

    def events(self, payment_id: str) -> list[Event]:
        found = [open_fact(row.data).event for row in self.rows()]
        return [event for event in found if getattr(event, "payment_id", None) == payment_id]

    def kinds(self, payment_id: str) -> list[str]:
        """Return the types of a payment's events, short, without nudges."""
        kinds = [event.TYPE.removeprefix("billing.").removesuffix(".v1") for event in self.events(payment_id)]
        return [kind for kind in kinds if kind != "attempt-nudged"]

    def of(self, kind: type[E]) -> list[E]:
        found = [open_fact(row.data).event for row in self.rows()]
        return [event for event in found if isinstance(event, kind)]

    async def until(self, payment_id: str, kind: str, within_s: float = 8.0) -> None:
        """Return when the log has an event of this kind for the payment."""
        await eventually(lambda: kind in self.kinds(payment_id), within_s)

    async def idle(self, within_s: float = 8.0) -> None:
        """Return when no effect is open."""
        await eventually(self.worker.runner.is_idle, within_s)

    async def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """Return the charges that took money, from the simulator's own store."""
        return [charge for charge in await self.simulator.charges(payment_id) if charge["status"] == "succeeded"]

    async def intents(self, payment_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.simulator.control("GET", f"intents?payment_id={payment_id}"))["data"]
        return found


@asynccontextmanager
async def billing_shard(simulator: Simulator, prefix: str) -> AsyncIterator[BillingShard]:
    """Start a worker that holds shard 0; a simulator that a test ended is started again afterwards, without faults."""
    shard = BillingShard(simulator, prefix)
    await shard.worker.start()
    try:
        yield shard
    finally:
        await shard.worker.stop()
        assert simulator.process is not None
        if simulator.process.returncode is not None:
            await simulator.start()
        await simulator.control("DELETE", "faults")
