"""Each kind of request that changes money is refused with the first reason that applies, and every reason has a row."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from services.billing.domain import bank, cases, checks, decisions, merges, refunds, requests, transfers, voids
from shared.contracts.billing import (
    AccountMoved,
    BankStatementImported,
    BankStatementRefused,
    PaymentRefused,
    Refusal,
    RequestRefused,
)
from shared.contracts.event import Event, PolicyMonth
from shared.contracts.gateway import BankLine, PaymentCancellationRequested
from tests.unit.billing.money_story import (
    APPROVE,
    CHARGE,
    CHECK,
    CHEQUE,
    DISPUTED,
    GIVE_BACK,
    JOIN,
    MERGE,
    OTHER,
    PROPOSED,
    REFUND,
    REQUEST,
    SEND,
    STATEMENT,
    UNDER_WAY,
    VOID,
    case_of,
    changed,
    decide,
    held,
    much_paid,
    overpaid,
    paid_by_card,
    paid_twice,
)
from tests.unit.billing.story import (
    ACCOUNT,
    ASK_INVOICE,
    AT,
    CANCEL,
    ISSUED,
    OPENED,
    PAYMENT,
    Story,
    given,
)

MOVED = AccountMoved(account_id=ACCOUNT, merge_id=MERGE, to_account_id=OTHER)
NO_LINE = (PolicyMonth(policy_id="pol_9", coverage_month="2026-03"),)
WITHDRAW = PaymentCancellationRequested(request_id=REQUEST, account_id=ACCOUNT, payment_id=PAYMENT, received_at=AT)
LINE = BankLine(line_ref="B-1", kind="other", amount_minor=100, reference="r")
PAGE = BankStatementImported(
    statement_id="stm_3_00", bank_account="trust", day="2026-03-02", currency="USD", opening_minor=0,
    closing_minor=100, lines=(LINE,),
)  # fmt: skip

Row = tuple[Story, Any, Refusal]


def _waiting() -> Story:
    return much_paid().when(changed(GIVE_BACK, amount_minor=60_000))


def _approve(story: Story, **fields: Any) -> Any:
    return changed(APPROVE, digest=story.state.refunds[REFUND].digest, **fields)


def _paid_by_two_cheques() -> Story:
    return given(OPENED, ISSUED).when(CHEQUE, changed(CHEQUE, payment_id="pay_3_77", bank_reference="LBX-2"))


def _void(story: Story) -> Story:
    return given(*story.facts).when(VOID)


def _policy_gone() -> Story:
    return held(policy_id="pol_2").when(
        CANCEL, changed(VOID, lines=(PolicyMonth(policy_id="pol_2", coverage_month="2026-03"),))
    )


def _bank(*facts: Event) -> Story:
    return given(*facts, stream="bnk_trust")


INVOICES: list[Row] = [
    (given(), ASK_INVOICE, Refusal.ACCOUNT_UNKNOWN),
    (given(OPENED, ISSUED, MOVED), ASK_INVOICE, Refusal.ACCOUNT_MOVED),
    (given(OPENED, ISSUED, PROPOSED), ASK_INVOICE, Refusal.ACCOUNT_BUSY),
    (given(OPENED, ISSUED), ASK_INVOICE, Refusal.INVOICE_EXISTS),
    (
        given(OPENED, ISSUED),
        changed(
            ASK_INVOICE,
            invoice_id="inv_3_99",
            lines=(changed(ISSUED.lines[0], gross_minor=2**63 - 1, aptc_minor=2**63 - 1),),
        ),
        Refusal.AMOUNT_TOO_LARGE,
    ),
]
REFUNDS: list[Row] = [
    (given(), GIVE_BACK, Refusal.ACCOUNT_UNKNOWN),
    (given(OPENED, ISSUED), GIVE_BACK, Refusal.PAYMENT_UNKNOWN),
    (given(*UNDER_WAY), changed(GIVE_BACK, currency="EUR"), Refusal.PAYMENT_NOT_SETTLED),
    (given(*UNDER_WAY).when(CANCEL), GIVE_BACK, Refusal.PAYMENT_NOT_SETTLED),
    (given(*paid_by_card()).when(DISPUTED), changed(GIVE_BACK, currency="EUR"), Refusal.CURRENCY_MISMATCH),
    (
        given(*paid_by_card()).when(DISPUTED),
        changed(GIVE_BACK, amount_minor=99_999_999),
        Refusal.PAYMENT_DISPUTED,
    ),
    (overpaid(), changed(GIVE_BACK, payment_id=CHECK, amount_minor=99_999_999), Refusal.NO_WAY_BACK),
    (given(*paid_by_card()), changed(GIVE_BACK, release=False), Refusal.CREDIT_TOO_SMALL),
    (given(*paid_by_card()), changed(GIVE_BACK, amount_minor=99_999_999), Refusal.CREDIT_TOO_SMALL),
]
APPROVALS: list[Row] = [
    (given(OPENED), APPROVE, Refusal.REFUND_UNKNOWN),
    (given(*paid_by_card()).when(GIVE_BACK), APPROVE, Refusal.REFUND_NOT_WAITING),
    (_waiting().when(_approve(_waiting())), APPROVE, Refusal.DIGEST_MISMATCH),
    (_waiting(), changed(APPROVE, decision="reject"), Refusal.DIGEST_MISMATCH),
    (_waiting().when(_approve(_waiting())), _approve(_waiting()), Refusal.APPROVER_REPEATED),
]
CASES: list[Row] = [
    (given(OPENED), decide("case_3_99", "credit"), Refusal.CASE_UNKNOWN),
    (
        paid_twice().when(DISPUTED, decide(case_of(paid_twice()), "credit")),
        decide(case_of(paid_twice()), "refund"),
        Refusal.CASE_DECIDED,
    ),
    (_paid_by_two_cheques(), decide(case_of(_paid_by_two_cheques()), "refund"), Refusal.NO_WAY_BACK),
    (_void(paid_twice()).when(DISPUTED), decide(case_of(paid_twice()), "refund"), Refusal.PAYMENT_DISPUTED),
    (_void(paid_twice()), decide(case_of(paid_twice()), "refund"), Refusal.CREDIT_TOO_SMALL),
]
DECISIONS: list[Row] = [
    (given(OPENED, ISSUED), CHARGE, Refusal.PAYMENT_UNKNOWN),
    (given(*UNDER_WAY), changed(CHARGE, payment_id=PAYMENT), Refusal.PAYMENT_NOT_HELD),
    (held(policy_id="pol_2").when(CANCEL, VOID), CHARGE, Refusal.INVOICE_VOID),
    (_policy_gone(), CHARGE, Refusal.POLICY_UNKNOWN),
]
CANCELS: list[Row] = [
    (given(OPENED), WITHDRAW, Refusal.PAYMENT_UNKNOWN),
    (given(*paid_by_card()), WITHDRAW, Refusal.PAYMENT_FINAL),
    (given(*UNDER_WAY).when(CANCEL), WITHDRAW, Refusal.PAYMENT_FINAL),
]
CHECKS: list[Row] = [
    (given(), changed(CHEQUE, amount_minor=2**63 - 1), Refusal.ACCOUNT_UNKNOWN),
    (
        given(OPENED, ISSUED).when(CHEQUE),
        changed(CHEQUE, payment_id="pay_3_77", invoice_id="inv_3_99", amount_minor=2**63 - 1),
        Refusal.AMOUNT_TOO_LARGE,
    ),
    (given(OPENED), changed(CHEQUE, currency="EUR"), Refusal.INVOICE_UNKNOWN),
    (
        given(OPENED, ISSUED).when(CHEQUE),
        changed(CHEQUE, payment_id="pay_3_77", currency="EUR"),
        Refusal.CURRENCY_MISMATCH,
    ),
    (given(OPENED, ISSUED).when(CHEQUE), changed(CHEQUE, payment_id="pay_3_77"), Refusal.CHECK_ALREADY_RECEIVED),
]
TRANSFERS: list[Row] = [
    (given(), changed(SEND, to_account_id=ACCOUNT), Refusal.ACCOUNT_UNKNOWN),
    (given(OPENED, MOVED), changed(SEND, to_account_id=ACCOUNT), Refusal.ACCOUNT_MOVED),
    (given(OPENED, PROPOSED), changed(SEND, to_account_id=ACCOUNT), Refusal.ACCOUNT_BUSY),
    (given(OPENED), changed(SEND, to_account_id=ACCOUNT), Refusal.SAME_ACCOUNT),
    (overpaid(999), SEND, Refusal.CREDIT_TOO_SMALL),
    (overpaid(), changed(SEND, currency="EUR"), Refusal.CREDIT_TOO_SMALL),
    (paid_twice(), SEND, Refusal.CREDIT_TOO_SMALL),
    (much_paid().when(DISPUTED), SEND, Refusal.CREDIT_TOO_SMALL),
]
MERGES: list[Row] = [
    (given(), changed(JOIN, to_account_id=ACCOUNT), Refusal.ACCOUNT_UNKNOWN),
    (given(OPENED, MOVED), changed(JOIN, to_account_id=ACCOUNT), Refusal.ACCOUNT_MOVED),
    (given(OPENED, PROPOSED), changed(JOIN, to_account_id=ACCOUNT), Refusal.ACCOUNT_BUSY),
    (given(*UNDER_WAY), changed(JOIN, to_account_id=ACCOUNT), Refusal.SAME_ACCOUNT),
    (given(*UNDER_WAY), JOIN, Refusal.ACCOUNT_BUSY),
]
VOIDS: list[Row] = [
    (given(), VOID, Refusal.ACCOUNT_UNKNOWN),
    (given(OPENED, PROPOSED), VOID, Refusal.ACCOUNT_BUSY),
    (given(OPENED), VOID, Refusal.INVOICE_UNKNOWN),
    (given(OPENED, ISSUED).when(VOID), changed(VOID, lines=NO_LINE), Refusal.INVOICE_VOID),
    (given(*UNDER_WAY), changed(VOID, lines=NO_LINE), Refusal.INVOICE_HAS_OPEN_PAYMENT),
    (given(OPENED, ISSUED), changed(VOID, lines=NO_LINE), Refusal.LINE_UNKNOWN),
]
STATEMENTS: list[Row] = [
    (
        _bank(PAGE),
        changed(STATEMENT, currency="EUR", lines=(LINE,), opening_minor=0, closing_minor=100, day="2026-03-01"),
        Refusal.CURRENCY_MISMATCH,
    ),
    (
        _bank(PAGE),
        changed(STATEMENT, lines=(LINE,), opening_minor=0, closing_minor=100, day="2026-03-01"),
        Refusal.LINE_REPEATED,
    ),
    (_bank(PAGE), changed(STATEMENT, day="2026-03-01"), Refusal.STATEMENT_OUT_OF_ORDER),
    (_bank(PAGE), STATEMENT, Refusal.OPENING_DIFFERS),
]

KINDS: dict[str, tuple[list[Row], tuple[Callable[..., Any], ...]]] = {
    "invoices": (INVOICES, (requests.issue_invoice, requests.closed)),
    "refunds": (REFUNDS, (refunds.request_refund, refunds._refusal)),
    "approvals": (APPROVALS, (refunds.approve_refund,)),
    "cases": (CASES, (cases.decide_case, cases._refund)),
    "decisions": (DECISIONS, (decisions.decide_held,)),
    "cancels": (CANCELS, (decisions.cancel_payment,)),
    "checks": (CHECKS, (checks.post_check, checks._refusal)),
    "transfers": (TRANSFERS, (transfers.request_transfer, requests.closed)),
    "merges": (MERGES, (merges.request_merge, requests.closed)),
    "voids": (VOIDS, (voids.void_invoice, voids._lines_or_refusal, voids._named)),
    "statements": (STATEMENTS, (bank.import_statement, bank._refusal)),
}
"""The rows of a kind, and the functions that name its reasons."""

ALL = [(*row, kind) for kind, (rows, _) in KINDS.items() for row in rows]


@pytest.mark.parametrize(("story", "request_", "reason", "kind"), ALL, ids=[f"{row[3]}-{row[2]}" for row in ALL])
def test_the_first_reason_that_applies_is_given(story: Story, request_: Any, reason: Refusal, kind: str) -> None:
    (refused,) = story.when(request_).then()
    assert isinstance(refused, RequestRefused | PaymentRefused | BankStatementRefused)
    assert refused.reason is reason


@pytest.mark.parametrize(("story", "request_", "reason", "kind"), ALL, ids=[f"{row[3]}-{row[2]}" for row in ALL])
def test_a_refusal_names_what_was_asked_for_and_changes_no_state(
    story: Story, request_: Any, reason: Refusal, kind: str
) -> None:
    after = story.when(request_)
    (refused,) = after.then()
    assert getattr(refused, SUBJECT[kind][0]) == getattr(request_, SUBJECT[kind][1])
    assert after.state == story.state


SUBJECT = {
    "invoices": ("subject", "invoice_id"),
    "refunds": ("subject", "refund_id"),
    "approvals": ("subject", "request_id"),
    "cases": ("subject", "request_id"),
    "decisions": ("subject", "request_id"),
    "cancels": ("subject", "request_id"),
    "checks": ("payment_id", "payment_id"),
    "transfers": ("subject", "transfer_id"),
    "merges": ("subject", "merge_id"),
    "voids": ("subject", "request_id"),
    "statements": ("statement_id", "statement_id"),
}
"""By which fields refusal and request name the same thing."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_of_a_kind_has_a_row(kind: str) -> None:
    rows, sources = KINDS[kind]
    named = {Refusal[name] for one in sources for name in re.findall(r"Refusal\.([A-Z_]+)", inspect.getsource(one))}
    assert {row[2] for row in rows} >= named
