"""A processor's reports: kept as they come, with the entries of what it took as fees and what it paid out.

The report's lines are the processor's own side of 1125: charges count with what the payer paid, the fees of a part as
one line of its own, everything else with what it moved. So both sides have the same lines under the same references.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from services.ledger.domain.entries import checked_day, followed_by
from services.ledger.domain.reconciled import Reconciled, stream_of
from services.ledger.domain.rules import Step, leg
from shared.contracts.billing import ReportImported, ReportLine, ReportPartImported
from shared.contracts.event import Event
from shared.contracts.ledger import ReportPartTaken, ReportTaken
from shared.decider import Context

PAYS_OUT = "card"
"""The processor whose payouts 1126 holds; a bank's line names the payout, not who pays it."""
CHARGES = ("charge", "payment")
PAYOUTS = ("payout", "payout_failure", "payout_cancel")
FEES = "fees"


class ProcessorLine(msgspec.Struct, frozen=True):
    """A line of the processor's side: `minor` is above zero where it holds more for us; `name` is its own, once."""

    reference: str
    name: str
    kind: str
    currency: str
    minor: int


def lines_of(part: ReportPartImported | ReportPartTaken) -> list[ProcessorLine]:
    """Return a part's lines as they are matched with the books."""
    lines = [
        ProcessorLine(_reference(line), line.transaction_ref, line.kind, line.currency, _moved_minor(line))
        for line in part.lines
    ]
    fees = _fees_reference(part)
    return lines + [
        ProcessorLine(fees, f"{fees}/{currency}", FEES, currency, -minor) for currency, minor in _fees(part).items()
    ]


def _reference(line: ReportLine) -> str:
    if line.kind in PAYOUTS:
        return line.source_ref or line.transaction_ref
    return line.intent_ref or line.transaction_ref


def _moved_minor(line: ReportLine) -> int:
    return line.amount_minor if line.kind in CHARGES else line.net_minor


def _fees_reference(part: ReportPartImported | ReportPartTaken) -> str:
    return f"{FEES}/{part.day}/{part.part}"


def _fees(part: ReportPartImported | ReportPartTaken) -> dict[str, int]:
    fees: dict[str, int] = defaultdict(int)
    for line in part.lines:
        if line.kind in CHARGES:
            fees[line.currency] += line.fee_minor
    return {currency: minor for currency, minor in fees.items() if minor}


def take_part(fact: ReportPartImported, state: Reconciled, context: Context) -> Sequence[Event]:
    """Keep a part of a report in the ledger's own log: PR-22p for its fees, PR-05p for each payout.

    A part that was taken before is kept again and posts nothing.
    """
    taken = ReportPartTaken(
        processor=fact.processor, day=checked_day(fact.day), part=fact.part, parts=fact.parts, lines=fact.lines
    )
    steps = [] if (fact.day, fact.part) <= state.taken else [*_fees_taken(fact), *_payouts(fact)]
    return followed_by(taken, steps, stream_of("1125", fact.processor), context)


def _fees_taken(part: ReportPartImported) -> list[Step]:
    """PR-22p: D 5020 / C 1125, the mirror where fees were given back; fees of disputes are PR-10a's."""
    return [
        Step(
            "PR-22p", part.day, currency,
            (
                leg("D" if minor > 0 else "C", "5020", part.processor, abs(minor)),
                leg("C" if minor > 0 else "D", "1125", part.processor, abs(minor)),
            ),
            reference=_fees_reference(part),
        )
        for currency, minor in _fees(part).items()
    ]  # fmt: skip


def _payouts(part: ReportPartImported) -> list[Step]:
    """PR-05p: D 1126 / C 1125, the mirror where a payout came back."""
    return [
        Step(
            "PR-05p", part.day, line.currency,
            (
                leg("D" if line.net_minor < 0 else "C", "1126", _reference(line), abs(line.net_minor)),
                leg("C" if line.net_minor < 0 else "D", "1125", part.processor, abs(line.net_minor)),
            ),
            reference=_reference(line),
        )
        for line in part.lines
        if line.kind in PAYOUTS and line.net_minor
    ]  # fmt: skip


def take_report(fact: ReportImported, state: Reconciled, context: Context) -> Sequence[Event]:
    """Keep a report's header; billing writes it after all parts, on the same chain, so the report is whole."""
    return (
        ReportTaken(
            processor=fact.processor,
            day=checked_day(fact.day),
            currency=fact.currency,
            opening_minor=fact.opening_minor,
            closing_minor=fact.closing_minor,
            parts=fact.parts,
            lines=fact.lines,
        ),
    )
