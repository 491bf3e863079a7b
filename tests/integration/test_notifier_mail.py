"""The notifier on a real PostgreSQL, the real people database and a real SMTP conversation."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from services.notifier.app import make_parts
from services.notifier.config import NotifierSettings
from services.notifier.effects.open_notices import load
from services.notifier.handlers import REGISTRY
from services.notifier.projections import PROJECTIONS
from shared.clock import SystemClock
from shared.contracts.envelope import open_fact
from shared.contracts.event import Actor, Event
from shared.contracts.notifier import NoticeEnded, NoticeSent
from shared.eventlog.command import Submitted
from shared.eventlog.held_shard import ShardContext
from shared.eventlog.memory import MemoryPublisher
from shared.eventlog.ports import EventRow
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.projections import Placed
from shared.eventlog.rebuild import live_digest, rebuild_digest
from shared.eventlog.writer import Writer
from shared.ids import root_of_record
from shared.people.sealing import MasterKey
from shared.people.writer import PeopleWriter
from shared.postgres.provision import provision_people
from tests.conftest import ServiceDatabase
from tests.integration.mail_server import MailServer
from tests.unit.notifier.story import (
    BOUNCED,
    CANCELLED,
    CASE,
    CHECK,
    DECIDED,
    DECLINED,
    ISSUED,
    LOST,
    OPENED,
    REFUNDED,
    RETURNED,
    SETTLED,
)

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class World(NamedTuple):
    """Databases, key and mail server of one test."""

    settings: NotifierSettings
    people: PeopleWriter
    mails: MailServer


@pytest.fixture(scope="module")
def people_dsn(postgres_admin_dsn: str) -> Iterator[str]:
    name = f"test_notifier_people_{os.getpid()}"
    provision_people(postgres_admin_dsn, database=name)
    yield make_conninfo(postgres_admin_dsn, dbname=name)
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def world(service_database: ServiceDatabase, people_dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    key_file = tmp_path / "master.key"
    key_file.write_text(bytes(range(32)).hex())
    mails = MailServer()
    await mails.start()
    settings = NotifierSettings(
        postgres_dsn=service_database("notifier", 1).dsn,
        kafka_bootstrap="",
        people_dsn=make_conninfo(people_dsn, user="piperoll_notifier"),
        master_key_file=key_file,
        smtp_port=mails.port,
    )
    gateway = PeopleWriter(make_conninfo(people_dsn, user="piperoll_gateway"), MasterKey.read(key_file))
    async with gateway:
        await gateway.put("demo", "mem_1", {"email": "old@example.org", "name": "Zoë Amaru"})
        await gateway.put("demo", "mem_1", {"email": "zoe@example.org"})
        yield World(settings, gateway, mails)
    await mails.stop()


class Held:
    """A held shard, told facts as the inbox would."""

    def __init__(self, context: ShardContext) -> None:
        self.context = context
        self._told = 1000 * context.writer.epoch

    async def tell(self, *facts: Event) -> None:
        for fact in facts:
            self._told += 1
            await self.context.writer.submit(
                Submitted(
                    command=fact,
                    tenant="demo",
                    root=root_of_record("billing", 0, self._told),
                    actor=Actor("system", "billing"),
                    correlation="c" * 32,
                    trace=TRACE,
                )
            )

    async def rows(self) -> Sequence[EventRow]:
        return await self.context.store.read(0, 0, 10_000)

    async def outcomes(self, count: int, timeout_s: float = 10.0) -> list[NoticeSent | NoticeEnded]:
        """Wait for `count` outcomes and return them."""
        async with asyncio.timeout(timeout_s):
            while True:
                events = [open_fact(row.data).event for row in await self.rows()]
                found = [event for event in events if isinstance(event, NoticeSent | NoticeEnded)]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def held(world: World) -> AsyncIterator[Held]:
    store = PostgresStore(world.settings.postgres_dsn, "notifier")
    clock = SystemClock()

    def committed(rows: Sequence[EventRow]) -> None:
        for part in parts:
            part.committed(rows)

    zone, dsn = ZoneInfo("America/New_York"), world.settings.postgres_dsn
    writer = Writer(REGISTRY, 0, store, clock, zone, committed)
    await writer.take_over()
    context = ShardContext("notifier", 0, 1, writer, store, clock, dsn, zone, MemoryPublisher())
    parts = make_parts(world.settings)(context)
    running = asyncio.get_running_loop().create_task(writer.run())
    for part in parts:
        await part.start()
    try:
        yield Held(context)
    finally:
        for part in reversed(parts):
            await part.stop()
        await writer.stop()
        await running
        await store.close()


async def test_a_settled_payment_sends_one_receipt_in_the_members_language(world: World) -> None:
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await shard.outcomes(1)
    ((recipient, message),) = world.mails.taken
    assert recipient == "zoe@example.org"
    assert isinstance(outcome, NoticeSent)
    assert message["Message-ID"] == outcome.message_id
    assert message["Content-Language"] == "es"
    assert message["Traceparent"] == TRACE
    assert message["Subject"] == "Recibo: su pago de $312.50 (REF-0C)"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "Zoë Amaru" in plain.get_content()


async def test_whatever_becomes_of_the_money_is_told_by_one_mail(world: World) -> None:
    facts = (SETTLED, DECLINED, CANCELLED, CHECK, RETURNED, CASE, DECIDED, REFUNDED, BOUNCED, LOST)
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, *facts)
        outcomes = await shard.outcomes(len(facts))
    assert all(isinstance(outcome, NoticeSent) for outcome in outcomes)
    assert len({str(message["Message-ID"]) for _, message in world.mails.taken}) == len(facts)
    subjects = {str(message["Subject"]) for _, message in world.mails.taken}
    assert "Su cheque de $312.50 fue devuelto: el dinero no nos llegó (REF-0E)" in subjects


async def test_mails_share_few_connections(world: World) -> None:
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, *[SETTLED] * 40)
        await shard.outcomes(40)
    assert len(world.mails.taken) == 40
    assert len(world.mails.sessions) <= world.settings.smtp_connections


async def test_a_mail_server_that_goes_away_and_comes_back_gets_each_mail(world: World) -> None:
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, SETTLED)
        await shard.outcomes(1)
        await world.mails.stop()
        await shard.tell(SETTLED, DECLINED)
        await asyncio.sleep(0.3)
        await world.mails.start()
        outcomes = await shard.outcomes(3)
    assert all(isinstance(outcome, NoticeSent) for outcome in outcomes)
    assert len(world.mails.taken) == 3


async def test_a_temporary_refusal_is_tried_again(world: World) -> None:
    world.mails.answers_to_rcpt = ["450 later"]
    world.mails.answers_to_data = ["451 later"]
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, SETTLED)
        (outcome,) = await shard.outcomes(1)
    assert isinstance(outcome, NoticeSent)
    assert len(world.mails.taken) == 1


@pytest.mark.parametrize("place", ["answers_to_rcpt", "answers_to_data"])
async def test_a_refusal_for_good_ends_the_notice_and_the_next_one_is_sent(world: World, place: str) -> None:
    setattr(world.mails, place, ["550 no such person"])
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, SETTLED)
        (ended,) = await shard.outcomes(1)
        await shard.tell(SETTLED)
        outcomes = await shard.outcomes(2)
    assert isinstance(ended, NoticeEnded)
    assert ended.reason == "rejected"
    assert isinstance(outcomes[1], NoticeSent)


async def test_an_erased_member_gets_no_mail(world: World) -> None:
    await world.people.put("demo", "mem_gone", {"email": "x@example.org", "name": "X"})
    await world.people.erase("demo", "mem_gone")
    opened = type(OPENED)(account_id=OPENED.account_id, member_id="mem_gone", language="en", contact=OPENED.contact)
    async with held(world) as shard:
        await shard.tell(opened, ISSUED, SETTLED)
        (outcome,) = await shard.outcomes(1)
    assert isinstance(outcome, NoticeEnded)
    assert outcome.reason == "erased"
    assert world.mails.taken == []


async def test_a_new_owner_finds_what_is_open_by_the_index_and_the_rest_of_the_log(world: World) -> None:
    await world.mails.stop()
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, SETTLED, DECLINED)
        await asyncio.sleep(0.3)
    store = PostgresStore(world.settings.postgres_dsn, "notifier")
    notices = await load(store, 0, world.settings.postgres_dsn)
    await store.close()
    assert len(notices.by_id) == 2
    await world.mails.start()
    async with held(world) as shard:
        await shard.outcomes(2)
    assert len(world.mails.taken) == 2


async def test_the_index_of_open_notices_is_a_fold_of_the_log(world: World) -> None:
    (projection,) = PROJECTIONS
    world.mails.answers_to_data = ["451 later"] * 3
    async with held(world) as shard:
        await shard.tell(OPENED, ISSUED, *[SETTLED] * 20)
        await shard.outcomes(20)
        rows = await shard.rows()
        facts = [Placed("notifier", 0, row.position, open_fact(row.data)) for row in rows]
        dsn = world.settings.postgres_dsn
        rebuilt = rebuild_digest(dsn, projection, facts)
        async with asyncio.timeout(10):
            while live_digest(dsn, projection) != rebuilt:
                await asyncio.sleep(0.05)
