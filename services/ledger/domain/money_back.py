"""The posting rules of what is taken back, given back, or passed on; each step an entry of its own."""

from collections.abc import Sequence

import msgspec

from services.ledger.domain.rules import Step, carrier_of, leg, line_legs, member_month, policy_month
from services.ledger.domain.standing import Standing, name_of, taken_back, without
from shared.contracts.billing import (
    ChargebackDebited,
    ChargebackLost,
    ChargebackWon,
    InvoiceVoided,
    PaymentDeallocated,
    PaymentReturned,
    RecoveryPaid,
    RefundBounced,
    RefundCancelled,
    RefundOpened,
    RefundSent,
    TransferReceived,
    TransferReturned,
    TransferSent,
)
from shared.contracts.event import Allocation
from shared.contracts.ledger import Posting


def premium_unpaid(fact: PaymentDeallocated, standing: Standing, on: str) -> list[Step]:
    """PR-06r: D 1210, D 2220 / C 2110, C 2210 per line, each a reversal of the entry that had paid it."""
    steps: list[Step] = []
    for part in _by_line(fact.allocations):
        place = policy_month(part.policy_id, part.coverage_month)
        name = name_of("PR-06", place, fact.payment_id, part.invoice_id)
        for minor, reverses in taken_back(standing, name, part.amount_minor):
            postings = (
                leg("D", "1210", member_month(fact.account_id, part.policy_id, part.coverage_month), minor),
                leg("D", "2220", carrier_of(part.policy_id), minor),
                leg("C", "2110", fact.account_id, minor),
                leg("C", "2210", place, minor),
            )
            steps.append(
                Step(
                    "PR-06r", on, fact.currency, postings, fact.payment_id, part.invoice_id,
                    reverses=reverses, case_id=fact.case_id,
                )
            )  # fmt: skip
    return steps


def _by_line(parts: Sequence[Allocation]) -> list[Allocation]:
    sums: dict[tuple[str, str, str], Allocation] = {}
    for part in parts:
        place = (part.invoice_id, part.policy_id, part.coverage_month)
        known = sums.get(place)
        minor = part.amount_minor + (known.amount_minor if known else 0)
        sums[place] = msgspec.structs.replace(part, amount_minor=minor)
    return list(sums.values())


def premium_unbilled(fact: InvoiceVoided, standing: Standing, on: str) -> list[Step]:
    """PR-21: D 2210 gross / C 1210 member share, C 1220 APTC, C 1230 state subsidy per line, a reversal of its PR-01.

    A line is a reversal where every leg of it is left of one PR-01; else it is of none, and the limits will say so.
    """
    steps: list[Step] = []
    for line in fact.lines:
        place = policy_month(line.policy_id, line.coverage_month)
        name = name_of("PR-01", place, None, fact.invoice_id)
        billed = next((one.entry_id for one in reversed(standing.get(name)) if one.covers(line)), None)
        if billed is not None:
            taken = (line.gross_minor, line.aptc_minor, line.state_subsidy_minor)
            standing = without(standing, name, billed, *taken)
        postings = line_legs(fact.account_id, line, billed=False)
        if postings:
            steps.append(Step("PR-21", on, fact.currency, postings, invoice_id=fact.invoice_id, reverses=billed))
    return steps


def refund_set_aside(fact: RefundOpened, on: str) -> Step:
    """PR-09a: D 2110 / C 2120."""
    minor = fact.amount_minor
    postings = (leg("D", "2110", fact.account_id, minor), leg("C", "2120", fact.refund_id, minor))
    return Step("PR-09a", on, fact.currency, postings, fact.payment_id, case_id=fact.case_id)


def refund_sent(fact: RefundSent) -> Step:
    """PR-09b: D 2120 / C 1125, on the processor's own day."""
    minor = fact.amount_minor
    postings = (leg("D", "2120", fact.refund_id, minor), leg("C", "1125", fact.processor, minor))
    return Step(
        "PR-09b", fact.sent_on, fact.currency, postings, fact.payment_id,
        processor_ref=fact.processor_ref, case_id=fact.case_id,
    )  # fmt: skip


def refund_bounced(fact: RefundBounced, standing: Standing) -> list[Step]:
    """PR-09c: D 1125 / C 2120 on the processor's own day, a reversal of PR-09b; then it is credit again."""
    back = [
        Step(
            "PR-09c", fact.bounced_on, fact.currency,
            (leg("D", "1125", fact.processor, minor), leg("C", "2120", fact.refund_id, minor)),
            fact.payment_id, processor_ref=fact.processor_ref, reverses=reverses, case_id=fact.case_id,
        )
        for minor, reverses in taken_back(standing, name_of("PR-09b", fact.refund_id, None, None), fact.amount_minor)
    ]  # fmt: skip
    return back + refund_undone(fact, standing, fact.bounced_on)


def refund_undone(fact: RefundCancelled | RefundBounced, standing: Standing, on: str) -> list[Step]:
    """PR-09ar: D 2120 / C 2110, a reversal of PR-09a."""
    name = name_of("PR-09a", fact.refund_id, None, None)
    return [
        Step(
            "PR-09ar", on, fact.currency,
            (leg("D", "2120", fact.refund_id, minor), leg("C", "2110", fact.account_id, minor)),
            fact.payment_id, reverses=reverses, case_id=fact.case_id,
        )
        for minor, reverses in taken_back(standing, name, fact.amount_minor)
    ]  # fmt: skip


def chargeback_debited(fact: ChargebackDebited) -> Step:
    """PR-10a: D 1260 amount, D 5040 fee / C 1125 both; what the payment paid stays paid."""
    postings = [leg("D", "1260", fact.chargeback_id, fact.amount_minor)]
    if fact.fee_minor > 0:
        postings.append(leg("D", "5040", fact.processor, fact.fee_minor))
    postings.append(leg("C", "1125", fact.processor, fact.amount_minor + max(0, fact.fee_minor)))
    return Step(
        "PR-10a", fact.debited_on, fact.currency, tuple(postings), fact.payment_id, processor_ref=fact.processor_ref
    )


def chargeback_won(fact: ChargebackWon, standing: Standing) -> list[Step]:
    """PR-10b: D 1125 / C 1260, a reversal of PR-10a without its fee."""
    name = name_of("PR-10a", fact.chargeback_id, None, None)
    return [
        Step(
            "PR-10b", fact.reinstated_on, fact.currency,
            (leg("D", "1125", fact.processor, minor), leg("C", "1260", fact.chargeback_id, minor)),
            fact.payment_id, processor_ref=fact.processor_ref, reverses=reverses,
        )
        for minor, reverses in taken_back(standing, name, fact.amount_minor)
    ]  # fmt: skip


def chargeback_lost(fact: ChargebackLost, on: str) -> Step:
    """PR-10c: D 2110 what is there, D 1250 what had been given back already / C 1260."""
    postings = _from_member(fact.account_id, fact.from_credit_minor, fact.recovery_minor)
    end = leg("C", "1260", fact.chargeback_id, fact.amount_minor)
    return Step("PR-10c", on, fact.currency, (*postings, end), fact.payment_id)


def payment_returned(fact: PaymentReturned) -> Step:
    """PR-08: D 2110 what is there, D 1250 what is not / C 1010, on the bank's own day."""
    postings = _from_member(fact.account_id, fact.from_credit_minor, fact.recovery_minor)
    end = leg("C", "1010", fact.bank_account, fact.amount_minor)
    return Step(
        "PR-08", fact.returned_on, fact.currency, (*postings, end), fact.payment_id, fact.invoice_id,
        reference=fact.line_ref,
    )  # fmt: skip


def _from_member(account_id: str, from_credit_minor: int, recovery_minor: int) -> tuple[Posting, ...]:
    legs = (("2110", from_credit_minor), ("1250", recovery_minor))
    return tuple(leg("D", code, account_id, minor) for code, minor in legs if minor > 0)  # type: ignore[arg-type]


def recovery_paid(fact: RecoveryPaid, on: str) -> Step:
    """PR-25: D 2110 / C 1250; credit of the very money that was taken back pays what is owed for it."""
    minor = fact.amount_minor
    postings = (leg("D", "2110", fact.account_id, minor), leg("C", "1250", fact.account_id, minor))
    return Step("PR-25", on, fact.currency, postings, fact.payment_id)


def transfer_sent(fact: TransferSent, on: str) -> Step:
    """PR-16a: D 2110 / C 2140."""
    minor = fact.amount_minor
    postings = (leg("D", "2110", fact.account_id, minor), leg("C", "2140", fact.transfer_id, minor))
    return Step("PR-16a", on, fact.currency, postings)


def transfer_received(fact: TransferReceived, on: str) -> Step:
    """PR-16b: D 2140 / C 2110."""
    minor = fact.amount_minor
    postings = (leg("D", "2140", fact.transfer_id, minor), leg("C", "2110", fact.account_id, minor))
    return Step("PR-16b", on, fact.currency, postings)


def transfer_returned(fact: TransferReturned, standing: Standing, on: str) -> list[Step]:
    """PR-16r: D 2140 / C 2110, a reversal of PR-16a."""
    return [
        Step(
            "PR-16r", on, fact.currency,
            (leg("D", "2140", fact.transfer_id, minor), leg("C", "2110", fact.account_id, minor)),
            reverses=reverses,
        )
        for minor, reverses in taken_back(standing, name_of("PR-16a", fact.transfer_id, None, None), fact.amount_minor)
    ]  # fmt: skip
