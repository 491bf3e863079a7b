"""A processor's daily reports: which days are due, and each imported once, in order, with its sums checked."""

from datetime import date, timedelta

import msgspec

from services.billing.domain.commands import DueReports, ImportReport, ImportReportPart
from shared.contracts.billing import ReportDue, ReportImported, ReportPartImported
from shared.contracts.event import Event
from shared.decider import Context

MOST_DAYS_AT_ONCE = 400
MOST_LINES = 100
NOTHING: tuple[Event, ...] = ()


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """A day whose parts are coming in, in order."""

    day: str
    parts: int
    part: int
    lines: int
    net_minor: int


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one processor's stream; days are civil dates, "" before the first."""

    last_due: str = ""
    last_imported: str = ""
    closing_minor: int = 0
    partial: Partial | None = None


def initial(stream: str) -> Processor:
    """Return a processor that has held nothing yet."""
    return Processor()


def evolve(state: Processor, event: Event) -> Processor:
    """Return the processor after an event."""
    match event:
        case ReportDue():
            return msgspec.structs.replace(state, last_due=event.day)
        case ReportPartImported():
            before = state.partial if event.part > 1 else None
            partial = Partial(
                day=event.day,
                parts=event.parts,
                part=event.part,
                lines=(before.lines if before else 0) + len(event.lines),
                net_minor=(before.net_minor if before else 0) + sum(line.net_minor for line in event.lines),
            )
            return msgspec.structs.replace(state, partial=partial)
        case ReportImported():
            return msgspec.structs.replace(
                state, last_imported=event.day, closing_minor=event.closing_minor, partial=None
            )
        case _:
            return state


def due(command: DueReports, state: Processor, context: Context) -> tuple[Event, ...]:
    """Call every day due that is over and was not called yet, in order, up to 400 at once."""
    through = date.fromisoformat(command.through_day)
    day = date.fromisoformat(state.last_due) + timedelta(days=1) if state.last_due else None
    day = day or date.fromisoformat(command.first_day)
    days: list[Event] = []
    while day <= through and len(days) < MOST_DAYS_AT_ONCE:
        days.append(ReportDue(processor=command.processor, day=day.isoformat()))
        day += timedelta(days=1)
    return tuple(days)


def import_part(command: ImportReportPart, state: Processor, context: Context) -> tuple[Event, ...]:
    """Take the next part of the oldest day that is due; a part that is there already adds nothing.

    A part out of order, too long, or of a day out of turn raises ValueError: the reader is wrong.
    """
    if command.day <= state.last_imported:
        return NOTHING
    _check_turn(command.day, state)
    had = state.partial.part if state.partial else 0
    if command.part <= had:
        return NOTHING
    same_cut = state.partial is None or state.partial.parts == command.parts
    if command.part != had + 1 or not same_cut or len(command.lines) > MOST_LINES:
        raise ValueError(f"part {command.part} of {command.parts} of {command.day} does not follow {state.partial}")
    part = ReportPartImported(
        processor=command.processor,
        day=command.day,
        part=command.part,
        parts=command.parts,
        lines=command.lines,
    )
    return (part,)


def import_header(command: ImportReport, state: Processor, context: Context) -> tuple[Event, ...]:
    """Close the day: opening is the day before's closing, closing adds the net of all lines.

    ValueError where what came in is not what the reader counted.
    """
    if command.day <= state.last_imported:
        return NOTHING
    _check_turn(command.day, state)
    partial = state.partial
    counted = (command.parts, command.parts, command.lines, command.net_minor)
    if partial is None or (partial.part, partial.parts, partial.lines, partial.net_minor) != counted:
        raise ValueError(f"{command.day} was counted as {counted} but {partial} came in")
    imported = ReportImported(
        processor=command.processor,
        day=command.day,
        currency=command.currency,
        opening_minor=state.closing_minor,
        closing_minor=state.closing_minor + partial.net_minor,
        parts=command.parts,
        lines=command.lines,
    )
    return (imported,)


def _check_turn(day: str, state: Processor) -> None:
    following = date.fromisoformat(state.last_imported) + timedelta(days=1) if state.last_imported else None
    if day > state.last_due or (following is not None and day != following.isoformat()):
        raise ValueError(f"{day} is out of turn: imported to {state.last_imported}, due to {state.last_due}")
