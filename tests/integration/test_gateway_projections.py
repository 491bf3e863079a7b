"""The gateway's projections: the order between sources does not matter, nor how facts are cut into batches."""

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.gateway.inbox import ShardInbox
from services.gateway.projections import PROJECTIONS
from services.gateway.projections.fold import Folder
from services.gateway.projections.group import FoldGroup
from shared.clock import SystemClock
from shared.contracts.billing import (
    AccountOpened,
    AttemptPlanned,
    AttemptRegistered,
    BankStatementImported,
    BankStatementRefused,
    InvoiceIssued,
    PaymentAllocated,
    PaymentDeclined,
    PaymentRefused,
    PaymentSettled,
    Refusal,
)
from shared.contracts.envelope import Envelope, encode_event, open_fact, seal
from shared.contracts.event import Actor, Allocation, Event, Method, PremiumLine
from shared.contracts.ledger import EntryPosted, ExplanationRefused, Posting
from shared.contracts.notifier import NoticePlanned, NoticeSent
from shared.contracts.topics import BILLING_EVENTS_TOPIC, LEDGER_EVENTS_TOPIC, NOTIFIER_EVENTS_TOPIC
from shared.errors import Fenced
from shared.eventlog.merkle import leaf_hash
from shared.eventlog.ports import Order, Record, Stray
from shared.eventlog.postgres import PostgresStore
from shared.eventlog.projections import Placed
from shared.eventlog.rebuild import live_digest, rebuild_digest
from tests.conftest import Database, ServiceDatabase
from tests.integration.gateway_direct import DIRECT
from tests.integration.gateway_month import (
    ACCOUNT,
    AT,
    INVOICE,
    MONTH,
    allocated,
    bounced,
    cancelled,
    cheque,
    completed,
    disputed,
    exception,
    lost,
    paid,
    part,
    refund_opened,
    report,
    returned,
    sent,
    transfer_back,
    transfer_sent,
    won,
)
from tests.older import older_version

TOPICS = {"billing": BILLING_EVENTS_TOPIC, "ledger": LEDGER_EVENTS_TOPIC, "notifier": NOTIFIER_EVENTS_TOPIC}
TABLES = [table for projection in PROJECTIONS for table in projection.tables]


def chain(source: str, events: Sequence[Event], shard: int = 3, by: str = "test") -> list[Record]:
    """Return the records of a shard's chain, one per event."""
    records: list[Record] = []
    previous, previous_hash = 0, b""
    for position, event in enumerate(events, 1):
        account = getattr(event, "account_id", ACCOUNT)
        envelope = Envelope(
            tenant="demo",
            event_id=f"{position:032x}",
            type=event.TYPE,
            stream=account,
            version=position,
            recorded_at=AT,
            effective_date="2026-11-24",
            actor=Actor("system", by),
            correlation="c",
            causation=None,
            payload=encode_event(event),
        )
        value = seal(envelope)
        records.append(
            Record(
                topic=TOPICS[source],
                partition=shard,
                offset=position - 1,
                key=account,
                value=value,
                source=source,
                source_shard=shard,
                position=position,
                previous=previous,
                previous_hash=previous_hash,
                type=event.TYPE,
            )
        )
        previous, previous_hash = position, leaf_hash(value)
    return records


def opened(account: str = ACCOUNT) -> AccountOpened:
    return AccountOpened(account_id=account, member_id="mem", language="en", contact=())


def planned(payment: str, account: str = ACCOUNT) -> AttemptPlanned:
    return AttemptPlanned(
        account_id=account, payment_id=payment, reference="R" + payment, attempt_id="att", invoice_id=INVOICE,
        amount_minor=100, currency="USD", method=Method("card", "pm_card_visa"), received_at=AT,
    )  # fmt: skip


def settled(payment: str, account: str = ACCOUNT) -> tuple[Event, ...]:
    common: dict[str, Any] = {"account_id": account, "payment_id": payment, "currency": "USD"}
    part = Allocation(invoice_id=INVOICE, policy_id="P", coverage_month="2027-01", amount_minor=100)
    return (
        AttemptRegistered(**common, attempt_id="att", processor="card", processor_ref="pi", amount_minor=100),
        PaymentSettled(
            **common, reference="R" + payment, attempt_id="att", invoice_id=INVOICE, processor="card",
            processor_ref="pi", charge_ref="ch", amount_minor=100, settled_on="2026-11-24", settled_at=AT,
        ),
        PaymentAllocated(**common, allocations=(part,), unapplied_minor=0),
    )  # fmt: skip


def entry(rule: str, payment: str | None, debit: str, credit: str, number: int) -> EntryPosted:
    return EntryPosted(
        account_id=ACCOUNT, entry_id=f"ent_{number}", group_id="g", rule=rule, cause_type="t", cause="c",
        payment_id=payment, effective_date="2026-11-24", currency="USD",
        postings=(
            Posting(code=debit, sub_key="", side="D", amount_minor=100),  # type: ignore[arg-type]
            Posting(code=credit, sub_key="", side="C", amount_minor=100),  # type: ignore[arg-type]
        ),
    )  # fmt: skip


LINE = PremiumLine(policy_id="P", coverage_month="2027-01", gross_minor=100)
BILLING = [
    opened(),
    InvoiceIssued(
        account_id=ACCOUNT, invoice_id=INVOICE, number="N1", due_date="2027-01-01", currency="USD", lines=(LINE,),
        total_minor=100,
    ),
    planned("pay_3_a"),
    PaymentRefused(
        account_id=ACCOUNT, payment_id="pay_3_b", invoice_id=INVOICE, amount_minor=100, currency="USD",
        reason=Refusal.INVOICE_HAS_OPEN_PAYMENT,
    ),
    *settled("pay_3_a"),
    planned("pay_3_c"),
    PaymentDeclined(
        account_id=ACCOUNT, payment_id="pay_3_c", reference="R", attempt_id="att", invoice_id=INVOICE,
        processor="card", amount_minor=100, currency="USD", reason="insufficient_funds", registered=True,
    ),
    *MONTH,
    BankStatementImported(
        statement_id="stm_3_a", bank_account="lockbox", day="2026-11-20", currency="USD", opening_minor=0,
        closing_minor=0, lines=(),
    ),
    BankStatementRefused(statement_id="stm_3_b", bank_account="lockbox", reason=Refusal.OPENING_DIFFERS),
]  # fmt: skip
LEDGER = [
    entry("PR-01", None, "1210", "2210", 1),
    entry("PR-04", "pay_3_a", "1120", "2310", 2),
    entry("PR-05", "pay_3_a", "1125", "2110", 3),
    entry("PR-06", "pay_3_a", "2110", "1210", 4),
    ExplanationRefused(request_id="req_3_e", exception_id="exc", reason="exception_unknown"),
    exception("a"),
    report(book=95),
    report("1125", "card"),
    exception("a", state="explained", reason="timing", explained_by="prn_x", note_version=1, request_id="req_3_x"),
    exception("b", minor=7),
    report(book=100),
    exception("a", state="resolved", reason="timing", explained_by="prn_x", note_version=1),
    *DIRECT,
]
NOTIFIER = [
    NoticePlanned(
        account_id=ACCOUNT, notice_id="ntc_3_x", kind="payment_receipt", channel="mail", member_id="mem",
        email_version=1, name_version=1, language="en", cause="c", facts={"reference": "Rpay_3_a"},
    ),
    NoticeSent(account_id=ACCOUNT, notice_id="ntc_3_x", message_id="m", sent_at=AT),
]  # fmt: skip
CHAINS = {
    "billing": chain("billing", BILLING),
    "ledger": chain("ledger", LEDGER),
    "notifier": chain("notifier", NOTIFIER),
}


@pytest.fixture(scope="module")
def database(service_database: ServiceDatabase) -> Database:
    return service_database("gateway")


class Shard:
    """An inbox of one shard over a real database that was emptied."""

    def __init__(self, database: Database) -> None:
        self.dsn = database.dsn
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            for table in (*TABLES, "cursor", "parked", "parked_order"):
                admin.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        self.store = PostgresStore(database.dsn, "gateway")
        self.folder = Folder(database.dsn, PROJECTIONS)
        self.folder.open()
        self.group = FoldGroup(self.folder)
        self.inbox = self.another()

    def another(self) -> ShardInbox:
        return ShardInbox(3, self.store, self.group, SystemClock())

    async def close(self) -> None:
        self.folder.close()
        await self.store.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query.encode()).fetchall()

    def digests(self) -> list[str]:
        return [live_digest(self.dsn, projection) for projection in PROJECTIONS]


async def _in_order(database: Database) -> list[str]:
    shard = Shard(database)
    for records in CHAINS.values():
        await shard.inbox.take(records)
    digests = shard.digests()
    await shard.close()
    return digests


_interleavings = st.permutations([source for source, records in CHAINS.items() for _ in records])
_cuts = st.lists(st.integers(1, 6), min_size=1, max_size=30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=_interleavings, cuts=_cuts, repeat=st.booleans())
async def test_any_order_between_sources_and_any_cut_give_the_same_rows(
    database: Database, order: list[str], cuts: list[int], repeat: bool
) -> None:
    wanted = await _in_order(database)
    shard = Shard(database)
    left = {source: iter(records) for source, records in CHAINS.items()}
    records: list[Record | Stray] = [next(left[source]) for source in order]
    sizes = itertools.cycle(cuts)
    while records:
        size = next(sizes)
        batch, records = records[:size], records[size:]
        await shard.inbox.take(batch)
        if repeat:
            await shard.inbox.take(batch)
    assert shard.digests() == wanted
    await shard.close()


async def test_a_rebuild_out_of_the_facts_alone_equals_the_live_rows(database: Database) -> None:
    shard = Shard(database)
    facts = [
        Placed(source, 3, record.position, open_fact(record.value))
        for source, records in CHAINS.items()
        for record in records
    ]
    for records in CHAINS.values():
        await shard.inbox.take(records)
    for projection in PROJECTIONS:
        assert live_digest(database.dsn, projection) == rebuild_digest(database.admin_dsn, projection, facts)
    await shard.close()


LEFT: list[tuple[str, list[tuple[Any, ...]]]] = [
    (
        "SELECT payment_id, billing_status, reason, refunded_minor, disputed, unapplied_minor, paid_lines IS NULL"
        " FROM payment_money ORDER BY 1",
        [
            ("pay_3_a", "reversed", "charged_back", 70, False, 0, True),
            ("pay_3_b", "refused", "invoice_has_open_payment", 0, False, 0, True),
            ("pay_3_c", "declined", "insufficient_funds", 0, False, 0, True),
            ("pay_3_d", "settled", "same_payment_settled", 0, False, 10, False),
            ("pay_3_e", "reversed", "check_returned", 0, False, 0, True),
        ],
    ),
    (
        "SELECT invoice_id, total_minor, voided_minor, is_void, paid_minor FROM invoice_view ORDER BY 1",
        [("inv_3_next", 100, 60, False, 40), ("inv_3_test", 100, 100, True, 0)],
    ),
    (
        "SELECT refund_id, status, reason, approvals_given FROM refund_view ORDER BY 1",
        [
            ("rfd_3_a", "sent", None, 2),
            ("rfd_3_b", "cancelled", "approval_expired", 0),
            ("rfd_3_c", "refused", "credit_too_small", 0),
            ("rfd_3_d", "bounced", "lost_or_stolen_card", 0),
        ],
    ),
    ("SELECT case_id, rule, outcome, refund_id FROM case_view", [("case_3_d", "charged_twice", "refund", "rfd_3_d")]),
    (
        "SELECT transfer_id, status, reason, to_account_id FROM transfer_view ORDER BY 1",
        [
            ("trf_3_a", "returned", "account_moved", "acc_other"),
            ("trf_3_b", "completed", None, "acc_other"),
            ("trf_3_c", "refused", "same_account", None),
        ],
    ),
    (
        "SELECT merge_id, status, reason FROM merge_view ORDER BY 1",
        [
            ("mrg_3_a", "ended", "account_busy"),
            ("mrg_3_b", "completed", None),
            ("mrg_3_c", "refused", "account_moved"),
        ],
    ),
    (
        "SELECT request_id, done_at IS NOT NULL, reason FROM request_view ORDER BY 1",
        [
            ("req_3_1", True, None),
            ("req_3_2", True, None),
            ("req_3_again", False, "ledger_account_exists"),
            ("req_3_c", True, None),
            ("req_3_close", True, None),
            ("req_3_d", True, None),
            ("req_3_e", False, "exception_unknown"),
            ("req_3_f", False, "payment_final"),
            ("req_3_freeze", True, None),
            ("req_3_j1", True, None),
            ("req_3_j2", False, "already_approved"),
            ("req_3_j3", True, None),
            ("req_3_j4", True, None),
            ("req_3_j5", True, None),
            ("req_3_j6", False, "ledger_account_frozen"),
            ("req_3_k", True, None),
            ("req_3_o1", True, None),
            ("req_3_o2", True, None),
            ("req_3_open", True, None),
            ("req_3_other", True, None),
            ("req_3_r1", True, None),
            ("req_3_r2", True, None),
            ("req_3_shut", True, None),
            ("req_3_v", True, None),
            ("req_3_x", True, None),
        ],
    ),
    (
        "SELECT statement_id, imported_at IS NOT NULL, reason FROM statement_view ORDER BY 1",
        [("stm_3_a", True, None), ("stm_3_b", False, "opening_differs")],
    ),
    (
        "SELECT id, minor, state, reason, note_version, position FROM exception_view ORDER BY 1",
        [("exc_0_a", -10, "resolved", "timing", 1, 12), ("exc_0_b", 7, "open", None, 0, 10)],
    ),
    (
        "SELECT account, sub_key, book_minor, position FROM reconciliation_view ORDER BY 1",
        [("1010", "lockbox", 100, 11), ("1125", "card", 100, 8)],
    ),
    (
        "SELECT proposal_id, subject, status, reason, approvals_given, entry_id FROM proposal_view"
        " WHERE proposal_id NOT LIKE 'req%' ORDER BY 1",
        [
            ("jnl_3_a", None, "posted", None, 2, "ent_3_a"),
            ("jnl_3_b", None, "rejected", None, 0, None),
            ("jnl_3_c", None, "refused", "ledger_account_frozen", 1, None),
            ("jnl_3_d", None, "refused", "decided_elsewhere", 0, None),
            ("rev_3_a", "ent_3_a", "posted", None, 2, "ent_3_b"),
            ("rev_3_b", "ent_3_a", "lapsed", None, 0, None),
            ("rev_3_c", None, "refused", "reversal_exceeds_entry", 0, None),
        ],
    ),
    (
        "SELECT proposal_id, subject, change, status FROM proposal_view WHERE change IS NOT NULL ORDER BY 1",
        [
            ("req_3_close", "gla_3_a", "close", "awaiting_approval"),
            ("req_3_freeze", "gla_3_a", "freeze", "changed"),
            ("req_3_open", "gla_3_a", "open", "changed"),
            ("req_3_other", "gla_3_b", "open", "awaiting_approval"),
            ("req_3_shut", "gla_3_a", "close", "refused"),
        ],
    ),
    (
        "SELECT ledger_account_id, code, sub_key, currency, status FROM ledger_account_view ORDER BY 1",
        [("gla_3_a", "5020", "card", "USD", "frozen"), ("gla_3_b", "5020", "card", "USD", None)],
    ),
    ("SELECT account_id, moved_to FROM account_view", [(ACCOUNT, "acc_other")]),
    ("SELECT count(*) FROM history_view WHERE account_id = 'acc_test' AND subject IS NULL", [(0,)]),
]


@pytest.mark.parametrize(("query", "rows"), LEFT)
async def test_what_a_month_leaves(database: Database, query: str, rows: list[tuple[Any, ...]]) -> None:
    shard = Shard(database)
    for records in CHAINS.values():
        await shard.inbox.take(records)
    assert shard.rows(query) == rows
    await shard.close()


MONEY_BACK: list[tuple[list[Event], tuple[str, int, bool, int]]] = [
    ([paid("pay_3_z"), allocated("pay_3_z", part(100))], ("settled", 0, False, 0)),
    ([paid("pay_3_z"), allocated("pay_3_z", part(60), unapplied=40)], ("settled", 0, False, 40)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30)], ("settled", 0, False, 70)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30, needed=2)], ("settled", 0, False, 70)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30), sent("rfd_3_z", "pay_3_z", 30)],
     ("settled", 30, False, 70)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30), cancelled("rfd_3_z", "pay_3_z", 30)],
     ("settled", 0, False, 100)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30), cancelled("rfd_3_z", "pay_3_z", 30),
      sent("rfd_3_z", "pay_3_z", 30)], ("settled", 30, False, 70)),
    ([paid("pay_3_z"), refund_opened("rfd_3_z", "pay_3_z", 30), sent("rfd_3_z", "pay_3_z", 30),
      completed("rfd_3_z", "pay_3_z", 30), bounced("rfd_3_z", "pay_3_z", 30)], ("settled", 0, False, 100)),
    ([paid("pay_3_z"), disputed("du_z", "pay_3_z")], ("settled", 0, True, 100)),
    ([paid("pay_3_z"), disputed("du_z", "pay_3_z"), won("du_z", "pay_3_z")], ("settled", 0, False, 100)),
    ([paid("pay_3_z"), disputed("du_z", "pay_3_z"), lost("du_z", "pay_3_z", 40, credit=40)],
     ("settled", 0, False, 60)),
    ([paid("pay_3_z"), disputed("du_z", "pay_3_z"), lost("du_z", "pay_3_z")], ("reversed", 0, False, 0)),
    ([paid("pay_3_z"), disputed("du_z", "pay_3_z", "case_3_z"), lost("du_z", "pay_3_z", fund="case_3_z")],
     ("settled", 0, False, 100)),
    ([paid("pay_3_z"), transfer_sent("trf_3_z", ("pay_3_z", 25))], ("settled", 0, False, 75)),
    ([paid("pay_3_z"), transfer_sent("trf_3_z", ("pay_3_z", 25)), transfer_back("trf_3_z", 25)],
     ("settled", 0, False, 100)),
    ([cheque("pay_3_z"), returned("pay_3_z")], ("reversed", 0, False, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("events", "wanted"), MONEY_BACK)
async def test_what_becomes_of_a_payments_money(
    database: Database, events: list[Event], wanted: tuple[str, int, bool, int]
) -> None:
    shard = Shard(database)
    await shard.inbox.take(chain("billing", events))
    query = "SELECT billing_status, refunded_minor, disputed, unapplied_minor FROM payment_money"
    assert shard.rows(query + " WHERE payment_id = 'pay_3_z'") == [wanted]
    await shard.close()


async def test_a_worker_that_starts_again_goes_on_where_the_first_stopped(database: Database) -> None:
    wanted = await _in_order(database)
    shard = Shard(database)
    for records in CHAINS.values():
        for record in records:
            await shard.another().take([record])
    assert shard.digests() == wanted
    await shard.close()


async def test_two_workers_of_one_shard_cannot_both_fold(database: Database) -> None:
    shard = Shard(database)
    first, second = shard.inbox, shard.another()
    await first.take(CHAINS["billing"][:2])
    await second.take(CHAINS["billing"][:3])
    with pytest.raises(Fenced):
        await first.take(CHAINS["billing"][2:4])
    await second.take(CHAINS["billing"][3:])
    await shard.close()


async def test_a_gap_drops_records_until_the_true_next_one_comes(database: Database) -> None:
    shard = Shard(database)
    billing = CHAINS["billing"]
    await shard.inbox.take([billing[0], billing[2], billing[3]])
    assert shard.rows("SELECT position FROM cursor") == [(1,)]
    await shard.inbox.take(billing[1:])
    assert shard.rows("SELECT position FROM cursor") == [(len(billing),)]
    await shard.close()


async def test_poison_is_parked_and_holds_its_key_until_a_person_drops_it(database: Database) -> None:
    shard = Shard(database)
    held = chain(
        "billing", [opened("acc_a"), opened("acc_b"), planned("pay_3_a", "acc_a"), planned("pay_3_b", "acc_b")]
    )
    poison = Stray(topic=BILLING_EVENTS_TOPIC, partition=3, offset=9, key="acc_a", value=b"x", cause="headers_missing")
    await shard.inbox.take([held[0], poison, *held[1:]])
    assert shard.rows("SELECT key, cause FROM parked ORDER BY arrival") == [
        ("acc_a", "headers_missing"),
        ("acc_a", "behind_parked"),
    ]
    assert shard.rows("SELECT payment_id FROM payment_view") == [("pay_3_b",)]
    await shard.another().obey([Order(1, BILLING_EVENTS_TOPIC, -1, 9, "dropped")])
    assert shard.rows("SELECT payment_id FROM payment_view ORDER BY 1") == [("pay_3_a",), ("pay_3_b",)]
    assert shard.rows("SELECT count(*) FROM parked WHERE released_at IS NULL") == [(0,)]
    await shard.another().take([poison])
    assert shard.rows("SELECT count(*) FROM parked WHERE released_at IS NULL") == [(0,)]
    await shard.close()


async def test_what_an_older_version_cannot_read_holds_its_household_and_is_folded_by_the_next(
    database: Database,
) -> None:
    wanted = await _in_order(database)
    shard = Shard(database)
    with older_version(PaymentSettled, EntryPosted):
        for records in CHAINS.values():
            await shard.inbox.take(records)
    assert shard.digests() != wanted
    assert {cause for (cause,) in shard.rows("SELECT cause FROM parked")} == {"unknown_type", "behind_parked"}
    newer = shard.another()
    await newer.load()
    await newer.obey(newer.holds.to_read_again())
    assert shard.digests() == wanted
    assert shard.rows("SELECT count(*) FROM parked WHERE released_at IS NULL") == [(0,)]
    await shard.close()


async def test_a_fact_that_a_projection_cannot_fold_is_parked_alone(database: Database) -> None:
    shard = Shard(database)
    records = chain(
        "billing",
        [
            opened("acc_a"),
            changed(planned("pay_3_x", "acc_b"), payment_id="nul\x00"),
            planned("pay_3_b", "acc_b"),
            planned("pay_3_a", "acc_a"),
        ],
    )
    await shard.inbox.take(records)
    assert shard.rows("SELECT key, position FROM parked ORDER BY arrival") == [("acc_b", 2), ("acc_b", 3)]
    assert shard.rows("SELECT payment_id FROM payment_view") == [("pay_3_a",)]
    await shard.close()


def changed(event: Event, **fields: Any) -> Event:
    made: Event = msgspec.structs.replace(event, **fields)
    return made
