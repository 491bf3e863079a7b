"""A bank account's statements: kept as they come; payouts and fees are posted, all else is booked elsewhere."""

import pytest

from services.ledger.domain import reconciled
from services.ledger.domain.bank import reference_of
from services.ledger.handlers import REGISTRY
from shared.contracts.billing import BankStatementImported
from shared.contracts.event import Event
from shared.contracts.gateway import BankLine
from shared.contracts.ledger import EntryPosted, StatementTaken
from tests.unit.ledger.reports import DAY, bank_line, statement
from tests.unit.ledger.story import Leg, context, legs


def decide(fact: BankStatementImported) -> list[Event]:
    return list(REGISTRY.handlers[type(fact)].decide(fact, reconciled.initial("bnk_trust-1"), context()))


def test_a_statement_is_kept_in_the_ledgers_own_log() -> None:
    page = statement(bank_line("L-1", "lockbox", 900, "LBX-7"), opening_minor=100)

    assert REGISTRY.handlers[BankStatementImported].stream(page) == "bnk_trust-1"
    assert decide(page) == [
        StatementTaken(
            statement_id=page.statement_id, bank_account="trust-1", day=DAY, currency="USD", opening_minor=100,
            closing_minor=1000, lines=page.lines,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "rule", "reference", "expected"),
    [
        pytest.param(
            bank_line("L-1", "payout", 700, "po_1"), "PR-05b", "po_1",
            [("D", "1010", "trust-1", 700), ("C", "1126", "po_1", 700)], id="payout",
        ),
        pytest.param(
            bank_line("L-1", "payout", -700, "po_1"), "PR-05b", "po_1",
            [("D", "1126", "po_1", 700), ("C", "1010", "trust-1", 700)], id="payout-taken-back",
        ),
        pytest.param(
            bank_line("L-1", "payout", 700), "PR-05b", "L-1",
            [("D", "1010", "trust-1", 700), ("C", "1126", "L-1", 700)], id="payout-without-a-name",
        ),
        pytest.param(
            bank_line("L-2", "fee", -25, "monthly"), "PR-22", "L-2",
            [("D", "5020", "trust-1", 25), ("C", "1010", "trust-1", 25)], id="fee",
        ),
        pytest.param(
            bank_line("L-2", "fee", 25), "PR-22", "L-2",
            [("D", "1010", "trust-1", 25), ("C", "5020", "trust-1", 25)], id="fee-given-back",
        ),
    ],
)  # fmt: skip
def test_a_line_of_ours_is_posted(line: BankLine, rule: str, reference: str, expected: list[Leg]) -> None:
    _, entry = decide(statement(line))

    assert isinstance(entry, EntryPosted)
    assert (entry.rule, entry.reference, legs(entry)) == (rule, reference, expected)
    assert (entry.account_id, entry.effective_date) == ("bnk_trust-1", DAY)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(bank_line("L-1", "lockbox", 900, "LBX-7"), id="the-cheque-is-the-households"),
        pytest.param(bank_line("L-1", "check_returned", -900, "LBX-7"), id="so-is-its-return"),
        pytest.param(bank_line("L-1", "other", -5, "?"), id="nobody-knows-it"),
    ],
)
def test_other_lines_post_nothing(line: BankLine) -> None:
    assert [event.TYPE for event in decide(statement(line))] == [StatementTaken.TYPE]


@pytest.mark.parametrize(
    ("line", "reference"),
    [
        (bank_line("L-1", "payout", 700, "po_1"), "po_1"),
        (bank_line("L-1", "lockbox", 700, "LBX-7"), "LBX-7"),
        (bank_line("L-1", "check_returned", -700, "LBX-7"), "L-1"),
        (bank_line("L-1", "fee", -7, "monthly"), "L-1"),
        (bank_line("L-1", "other", 7, "?"), "L-1"),
        (bank_line("L-1", "lockbox", 700), "L-1"),
    ],
)
def test_a_line_meets_the_books_under_one_reference(line: BankLine, reference: str) -> None:
    assert reference_of(line) == reference


def test_a_day_that_no_calendar_has_is_parked() -> None:
    with pytest.raises(ValueError, match="month"):
        decide(statement(bank_line("L-1", "lockbox", 700, "LBX-7"), day="2026-99-99"))
