"""A processor's own stream: its reports as taken, and each day's reconciliation of 1125 with them."""

from collections.abc import Sequence

import msgspec

from shared.contracts.billing import ReportImported, ReportPartImported
from shared.contracts.event import Event
from shared.contracts.ledger import AccountCode, AgeBucket, ReconciliationReported, ReportPartTaken, ReportTaken
from shared.decider import Command, Context

BALANCE: AccountCode = "1125"
DAYS_KEPT = 400


class ReconcileDay(Command, frozen=True, kw_only=True):
    """Report a day of the processor: what the books held at `positions`, what its own report said."""

    TYPE = "ledger.reconcile-day.v1"
    processor: str
    day: str
    currency: str
    book_minor: int
    processor_minor: int
    open_exceptions: tuple[AgeBucket, ...]
    positions: dict[str, int]


class Figures(msgspec.Struct, frozen=True):
    """What was last reported of a day."""

    book_minor: int
    processor_minor: int | None
    open_exceptions: tuple[AgeBucket, ...]


class Processor(msgspec.Struct, frozen=True):
    """The newest figures of each of the last 400 days that were reported."""

    stream: str
    reported: dict[str, Figures] = {}


def stream_of(processor: str) -> str:
    """Return the stream of a processor's account."""
    return f"prc_{processor}"


def initial(stream: str) -> Processor:
    """Return the state before the first report."""
    return Processor(stream)


def evolve(processor: Processor, event: Event) -> Processor:
    """Fold one event of the processor's stream."""
    if not isinstance(event, ReconciliationReported):
        return processor
    reported = {
        **processor.reported,
        event.day: Figures(event.book_minor, event.processor_minor, event.open_exceptions),
    }
    if len(reported) > DAYS_KEPT:
        del reported[min(reported)]
    return Processor(processor.stream, reported)


def take_part(fact: ReportPartImported, processor: Processor, context: Context) -> Sequence[Event]:
    """Keep a part of a report in the ledger's own log."""
    return (
        ReportPartTaken(processor=fact.processor, day=fact.day, part=fact.part, parts=fact.parts, lines=fact.lines),
    )


def take_report(fact: ReportImported, processor: Processor, context: Context) -> Sequence[Event]:
    """Keep a report's header; billing writes it after all parts, on the same chain, so the report is whole."""
    return (
        ReportTaken(
            processor=fact.processor,
            day=fact.day,
            currency=fact.currency,
            opening_minor=fact.opening_minor,
            closing_minor=fact.closing_minor,
            parts=fact.parts,
            lines=fact.lines,
        ),
    )


def reconcile(command: ReconcileDay, processor: Processor, context: Context) -> Sequence[Event]:
    """Report the day unless the newest report of it says the same; a later one supersedes."""
    figures = Figures(command.book_minor, command.processor_minor, command.open_exceptions)
    if processor.reported.get(command.day) == figures:
        return ()
    return (
        ReconciliationReported(
            day=command.day,
            account=BALANCE,
            sub_key=command.processor,
            currency=command.currency,
            book_minor=command.book_minor,
            bank_minor=None,
            processor_minor=command.processor_minor,
            difference_minor=command.book_minor - command.processor_minor,
            open_exceptions=command.open_exceptions,
            positions=command.positions,
        ),
    )
