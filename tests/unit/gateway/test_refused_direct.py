"""Bad input of entries by hand and ledger accounts: every way has its own code and field, and nothing is stored."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest

from services.gateway.domain.direct import (
    AccountName,
    LedgerAccountStatus,
    ProposalStatus,
    direct_stream,
    is_entry_id,
    opening_status,
)
from services.gateway.errors import REASONS
from services.gateway.http.database import Row
from services.gateway.http.operations import OPERATIONS
from shared.auth.roles import Role, allows
from shared.clock import ManualClock
from shared.contracts.direct import DirectRefusal
from shared.contracts.topics import LEDGER_COMMANDS, topics_of
from shared.eventlog.memory import MemoryStore
from shared.eventlog.ports import Mode
from shared.ids import Root, base32, shard_of, thing_id
from tests.gateway_kit import Gateway, NoReads, bearer, gateway, settings

SHARDS = 8
SHARD = shard_of("demo", "jrn_demo", SHARDS)
JOURNAL, THEIRS = (thing_id("jnl", SHARD, Root(raw * 14)) for raw in (b"j", b"t"))
ENTRY = f"ent_{SHARD}_{base32(b'e' * 16)}"
ACCOUNT = AccountName("5020", "card", "USD").id_in("demo", SHARD)
DIGEST = "d" * 64
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)  # still 30 November where the exchange is
ZONE = "America/New_York"
MAX = 2**63 - 1
DEBIT: dict[str, Any] = {"code": "5020", "sub_key": "card", "side": "D", "amount_minor": 5}
CREDIT: dict[str, Any] = {"code": "1010", "sub_key": "trust-1", "side": "C", "amount_minor": 5}
JOURNAL_BODY: dict[str, Any] = {
    "effective_date": "2026-11-30", "currency": "USD", "reason": "fee", "legs": [DEBIT, CREDIT], "note": "the bank's",
}  # fmt: skip
REVERSAL_BODY: dict[str, Any] = {"effective_date": "2026-11-30", "reason": "correction"}
ACCOUNT_BODY: dict[str, Any] = {"code": "5020", "sub_key": "card", "currency": "USD"}
APPROVAL: dict[str, Any] = {"digest": DIGEST, "decision": "approve"}


class Known(NoReads):
    """A journal of this tenant and one of another, and a ledger account that was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {JOURNAL: ("demo", "journal", None), THEIRS: ("other", "journal", None)}  # type: ignore[dict-item]

    async def run(self, statement: str, parameters: Mapping[str, Any]) -> list[Row]:
        if statement == "ledger_account" and (parameters["tenant"], parameters["id"]) == ("demo", ACCOUNT):
            return [(ACCOUNT, "5020", "card", "USD", SHARD, 1, NOW, "open", None, None, None, None, None, None, None)]
        return await super().run(statement, parameters)


class Box(msgspec.Struct):
    """A gateway over a log in memory."""

    gateway: Gateway
    store: MemoryStore

    def stored(self) -> int:
        return sum(len(shard.copies) for shard in self.store.shards.values())


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    store = MemoryStore(SHARDS, mode=Mode.SHARED)
    async with gateway(store, Known(), settings(zone=ZONE), ManualClock(NOW)) as running:
        yield Box(running, store)


def journal(*legs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {**JOURNAL_BODY, "legs": list(legs) or [DEBIT, CREDIT], **changed}


def parts(*legs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {**REVERSAL_BODY, "legs": list(legs), **changed}


J, A = "/v1/journals", "/v1/ledger-accounts"
R = f"/v1/entries/{ENTRY}/reversal"
BODIES: list[tuple[str, object, int, str, str | None]] = [
    (J, journal(DEBIT, {**CREDIT, "amount_minor": 6}), 422, "journal_unbalanced", "/legs"),
    (J, journal(DEBIT, {**CREDIT, "side": "D"}), 422, "journal_unbalanced", "/legs"),
    (J, journal(DEBIT), 422, "legs_too_few", "/legs"),
    (J, {**JOURNAL_BODY, "legs": []}, 422, "legs_too_few", "/legs"),
    (J, journal(*[DEBIT, CREDIT] * 10, DEBIT), 422, "legs_too_many", "/legs"),
    (J, journal({**DEBIT, "amount_minor": 0}, CREDIT), 422, "amount_not_positive", "/legs/0/amount_minor"),
    (J, journal({**DEBIT, "amount_minor": -5}, CREDIT), 422, "amount_not_positive", "/legs/0/amount_minor"),
    (J, journal({**DEBIT, "amount_minor": 5.0}, CREDIT), 422, "amount_not_integer", "/legs/0/amount_minor"),
    (J, journal({**DEBIT, "amount_minor": True}, CREDIT), 422, "amount_not_integer", "/legs/0/amount_minor"),
    (J, journal({**DEBIT, "amount_minor": MAX + 1}, CREDIT), 422, "amount_too_large", "/legs/0/amount_minor"),
    (J, journal({**DEBIT, "amount_minor": MAX}, CREDIT, DEBIT, {**CREDIT, "amount_minor": MAX}), 422,
     "amount_too_large", "/legs/2/amount_minor"),
    (J, journal({**DEBIT, "code": "502"}, CREDIT), 422, "account_code_invalid", "/legs/0/code"),
    (J, journal({**DEBIT, "code": "50200"}, CREDIT), 422, "account_code_invalid", "/legs/0/code"),
    (J, journal({**DEBIT, "code": "502x"}, CREDIT), 422, "account_code_invalid", "/legs/0/code"),
    (J, journal({**DEBIT, "code": "٥٠٢٠"}, CREDIT), 422, "account_code_invalid", "/legs/0/code"),
    (J, journal({**DEBIT, "code": 5020}, CREDIT), 422, "field_type_invalid", "/legs/0/code"),
    (J, journal({**DEBIT, "sub_key": ""}, CREDIT), 422, "text_invalid", "/legs/0/sub_key"),
    (J, journal({**DEBIT, "sub_key": "a b"}, CREDIT), 422, "text_invalid", "/legs/0/sub_key"),
    (J, journal({**DEBIT, "sub_key": "x" * 65}, CREDIT), 422, "text_invalid", "/legs/0/sub_key"),
    (J, journal({**DEBIT, "side": "debit"}, CREDIT), 422, "value_unsupported", "/legs/0/side"),
    (J, journal({**DEBIT, "currency": "USD"}, CREDIT), 422, "field_unknown", "/legs/0/currency"),
    (J, journal(effective_date="2026-12-01"), 422, "day_in_future", "/effective_date"),
    (J, journal(effective_date="2026-11-31"), 422, "date_invalid", "/effective_date"),
    (J, journal(effective_date="today"), 422, "date_invalid", "/effective_date"),
    (J, journal(currency="EUR"), 422, "currency_unsupported", "/currency"),
    (J, journal(reason="because"), 422, "value_unsupported", "/reason"),
    (J, journal(note=""), 422, "text_invalid", "/note"),
    (J, journal(note="a\x00b"), 422, "text_invalid", "/note"),
    (J, journal(note="x" * 2_001), 422, "text_invalid", "/note"),
    (J, {name: value for name, value in JOURNAL_BODY.items() if name != "reason"}, 422, "field_missing", "/reason"),
    (J, {**JOURNAL_BODY, "reference": ""}, 422, "text_invalid", "/reference"),
    (J, {**JOURNAL_BODY, "reference": "L\u00009"}, 422, "text_invalid", "/reference"),
    (J, {**JOURNAL_BODY, "reference": "L" * 65}, 422, "text_invalid", "/reference"),
    (J, b"{", 400, "body_not_json", None),
    (f"{J}/{JOURNAL}/approval", {**APPROVAL, "digest": "D" * 64}, 422, "text_invalid", "/digest"),
    (f"{J}/{JOURNAL}/approval", {**APPROVAL, "decision": "yes"}, 422, "value_unsupported", "/decision"),
    (f"{J}/{THEIRS}/approval", APPROVAL, 404, "journal_unknown", None),
    (f"{J}/{ENTRY}/approval", APPROVAL, 404, "journal_unknown", None),
    (R, parts(DEBIT), 422, "journal_unbalanced", "/legs"),
    (R, parts(), 422, "legs_too_few", "/legs"),
    (R, parts(*[DEBIT, CREDIT] * 11), 422, "legs_too_many", "/legs"),
    (R, {**REVERSAL_BODY, "effective_date": "2026-12-01"}, 422, "day_in_future", "/effective_date"),
    (R, {**REVERSAL_BODY, "reason": "x"}, 422, "value_unsupported", "/reason"),
    (R, {**REVERSAL_BODY, "currency": "USD"}, 422, "field_unknown", "/currency"),
    (R.replace(f"ent_{SHARD}", "ent_8"), REVERSAL_BODY, 404, "entry_unknown", None),
    (R.replace(f"ent_{SHARD}", f"ent_0{SHARD}"), REVERSAL_BODY, 404, "entry_unknown", None),
    (R.replace(ENTRY, JOURNAL), REVERSAL_BODY, 404, "entry_unknown", None),
    (f"{R}/approval", APPROVAL, 404, "proposal_unknown", "/digest"),
    (f"{R}/approval".replace(f"ent_{SHARD}", "ent_99"), APPROVAL, 404, "entry_unknown", None),
    (A, {**ACCOUNT_BODY, "code": "x"}, 422, "account_code_invalid", "/code"),
    (A, {**ACCOUNT_BODY, "sub_key": "é"}, 422, "text_invalid", "/sub_key"),
    (A, {**ACCOUNT_BODY, "currency": "usd"}, 422, "currency_unsupported", "/currency"),
    (A, {**ACCOUNT_BODY, "status": "open"}, 422, "field_unknown", "/status"),
    (f"{A}/{ACCOUNT}/freeze", {"why": "x"}, 422, "field_unknown", "/why"),
    (f"{A}/{ACCOUNT}x/freeze", {}, 404, "ledger_account_unknown", None),
    (f"{A}/{ACCOUNT}/approval", APPROVAL, 404, "proposal_unknown", "/digest"),
    (f"{A}/{ACCOUNT}x/approval", APPROVAL, 404, "ledger_account_unknown", None),
    (f"{A}/{ACCOUNT}/thaw", {}, 404, "route_unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "code", "field"), BODIES)
async def test_what_finance_asks_of_the_ledger_wrongly_is_refused_by_name(
    box: Box, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    reply = await box.gateway.client.post(path, bearer(), body)
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field), reply.body
    assert box.stored() == 0
    assert box.gateway.people.noted == {}


READS: list[tuple[str, int, str, str | None]] = [
    (f"{J}/x", 404, "journal_unknown", None),
    (f"{J}/{THEIRS}", 404, "journal_unknown", None),
    ("/v1/entries/ent_9_x/reversal", 404, "entry_unknown", None),
    (f"{R}?cursor=x", 400, "cursor_invalid", "cursor"),
    (f"{R}?limit=101", 400, "parameter_invalid", "limit"),
    (f"{A}?code=50", 400, "parameter_invalid", "code"),
    (f"{A}?status=shut", 400, "parameter_invalid", "status"),
    (f"{A}/gla_3_x", 404, "ledger_account_unknown", None),
]


@pytest.mark.parametrize(("path", "status", "code", "field"), READS)
async def test_what_finance_reads_of_it_wrongly_is_refused_by_name(
    box: Box, path: str, status: int, code: str, field: str | None
) -> None:
    reply = await box.gateway.client.get(path, bearer())
    assert (reply.status, reply.body["code"], reply.body.get("field")) == (status, code, field)


KEEPERS, READERS = {Role.FINANCE, Role.OPERATOR}, {Role.FINANCE, Role.AUDITOR, Role.OPERATOR}
CALLERS: dict[str, set[Role]] = {
    "createJournal": KEEPERS,
    "createReversal": KEEPERS,
    "openLedgerAccount": KEEPERS,
    "freezeLedgerAccount": KEEPERS,
    "unfreezeLedgerAccount": KEEPERS,
    "closeLedgerAccount": KEEPERS,
    "approveJournal": {Role.FINANCE},
    "approveReversal": {Role.FINANCE},
    "approveLedgerAccount": {Role.FINANCE},
    "getJournal": READERS,
    "listReversals": READERS,
    "listLedgerAccounts": READERS,
    "getLedgerAccount": READERS,
}


@pytest.mark.parametrize(("name", "roles"), CALLERS.items())
def test_who_may_keep_the_books_by_hand(name: str, roles: set[Role]) -> None:
    (permission,) = [operation.permission for operation in OPERATIONS if operation.id == name]
    assert permission is not None
    assert {role for role in Role if allows(role, permission)} == roles


STORED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (J, JOURNAL_BODY, {"effective_date": "2026-11-30", "legs": [DEBIT, CREDIT], "note_version": 1, "reason": "fee"}),
    (J, {**JOURNAL_BODY, "reference": "L-9"}, {"reference": "L-9"}),
    (R, parts(DEBIT, CREDIT), {"entry_id": ENTRY, "legs": [DEBIT, CREDIT], "note_version": 0}),
    (R, REVERSAL_BODY, {"entry_id": ENTRY, "legs": []}),
    (A, ACCOUNT_BODY, {"ledger_account_id": ACCOUNT, "change": "open", **ACCOUNT_BODY}),
    *((f"{A}/{ACCOUNT}/{change}", {}, {"ledger_account_id": ACCOUNT, "change": change, **ACCOUNT_BODY})
      for change in ("freeze", "unfreeze", "close")),
    (f"{J}/{JOURNAL}/approval", APPROVAL, {"proposal_id": JOURNAL, "digest": DIGEST, "decision": "approve"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "told"), STORED)
async def test_what_is_asked_is_one_event_of_the_tenants_stream_at_the_ledger(
    box: Box, path: str, body: dict[str, Any], told: dict[str, Any]
) -> None:
    await box.gateway.client.post(path, bearer(), body)
    (row,) = box.store.shards[SHARD].copies
    event = msgspec.json.decode(row.data)
    assert event["payload"]["account_id"] == direct_stream("demo") == "jrn_demo"
    assert {name: event["payload"][name] for name in told} == told
    assert topics_of(row.type) == (LEDGER_COMMANDS,)
    assert b"the bank's" not in row.data


@pytest.mark.parametrize("refusal", get_args(DirectRefusal))
def test_every_refusal_of_a_direct_command_has_words(refusal: str) -> None:
    assert REASONS[refusal].status == "refused"


def test_a_ledger_account_has_one_id_whoever_asks_and_another_for_each_part_of_its_name() -> None:
    names = [("5020", "card", "USD"), ("5030", "card", "USD"), ("5020", "bank", "USD"), ("5020", "card", "EUR")]
    ids = {AccountName(*name).id_in(tenant, 3) for name in names for tenant in ("demo", "other")}
    assert len(ids) == 8
    assert AccountName("5020", "card", "USD").id_in("demo", 3) in ids


@pytest.mark.parametrize(
    ("text", "shards", "known"),
    [
        (ENTRY, 8, True), (ENTRY, SHARD, False), (ENTRY[:-1], 8, False), (ENTRY + "0", 8, False),
        (ENTRY.upper(), 8, False), ("ent_00_" + "0" * 26, 8, False), ("ent_7_" + "0" * 26, 8, True),
        ("ent_8_" + "0" * 26, 8, False), ("ent_7_" + "u" * 26, 8, False), ("", 8, False),
    ],
)  # fmt: skip
def test_only_an_entry_that_a_shard_can_have_may_exist(text: str, shards: int, known: bool) -> None:
    assert is_entry_id(text, shards) is known


def test_an_account_is_what_its_opening_came_to_until_it_is_opened() -> None:
    found = [opening_status(word) for word in (None, *ProposalStatus, "changed")]
    assert found == [
        LedgerAccountStatus.ACCEPTED, None, LedgerAccountStatus.REFUSED, LedgerAccountStatus.PROPOSED, None,
        LedgerAccountStatus.REJECTED, LedgerAccountStatus.LAPSED, None,
    ]  # fmt: skip
