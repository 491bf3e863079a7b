"""A reconciled account's stream (`prc_…`: 1125 and 1126, `bnk_…`: 1010): what each day came to, and its exceptions."""

from collections.abc import Sequence

import msgspec

from services.ledger.domain.exceptions import OpenException, by_age, exception_id, overdue
from shared.contracts.event import Event
from shared.contracts.gateway import ExplanationRequested
from shared.contracts.ledger import (
    AgeBucket,
    ExceptionChanged,
    ExplanationRefused,
    ReconciledAccount,
    ReconciliationReported,
    ReportPartTaken,
)
from shared.decider import Command, Context

DAYS_KEPT = 400
RESOLVED_KEPT = 1_000
MOST_CHANGES = 500
"""Of one command, so that a batch of the writer stays small."""


class ReconcileDay(Command, frozen=True, kw_only=True):
    """Report a day of an account: what the books held at `positions`, what the other side said, what was open.

    `outside_minor` is the closing balance of the processor (1125) or the bank (1010); 1126 has None.
    """

    TYPE = "ledger.reconcile-day.v1"
    account: ReconciledAccount
    sub_key: str
    day: str
    currency: str
    book_minor: int
    outside_minor: int | None
    exceptions: tuple[OpenException, ...]
    positions: dict[str, int]


class ReviewExceptions(Command, frozen=True, kw_only=True):
    """Bring an account's exceptions to what is open now.

    `found` holds every reference whose sides differ, of 1126 also payouts that may still be under way: how late they
    are is judged on the day of the decision.
    """

    TYPE = "ledger.review-exceptions.v1"
    account: ReconciledAccount
    sub_key: str
    currency: str
    found: tuple[OpenException, ...]
    positions: dict[str, int]


class Figures(msgspec.Struct, frozen=True):
    """What was last reported of a day."""

    book_minor: int
    outside_minor: int | None
    open_exceptions: tuple[AgeBucket, ...]
    unexplained_minor: int


class Reconciled(msgspec.Struct, frozen=True):
    """`reported`: the newest figures of each of the last 400 days, by account and currency; `taken`: the newest part
    of a processor's report; `exceptions`: by id as they stand, of those that are resolved the newest 1,000.
    """

    stream: str
    taken: tuple[str, int] = ("", 0)
    reported: dict[str, dict[str, Figures]] = {}
    exceptions: dict[str, ExceptionChanged] = {}


def stream_of(account: ReconciledAccount, sub_key: str) -> str:
    """Return the stream in which an account is reconciled."""
    return f"bnk_{sub_key}" if account == "1010" else f"prc_{sub_key}"


def initial(stream: str) -> Reconciled:
    """Return the state before the first report or statement."""
    return Reconciled(stream)


def evolve(state: Reconciled, event: Event) -> Reconciled:
    """Fold one event of the stream."""
    match event:
        case ReportPartTaken():
            return msgspec.structs.replace(state, taken=max(state.taken, (event.day, event.part)))
        case ReconciliationReported():
            return msgspec.structs.replace(state, reported=_reported(state, event))
        case ExceptionChanged():
            return msgspec.structs.replace(state, exceptions=_exceptions(state, event))
        case _:
            return state


def _reported(state: Reconciled, event: ReconciliationReported) -> dict[str, dict[str, Figures]]:
    outside_minor = event.bank_minor if event.account == "1010" else event.processor_minor
    place = f"{event.account}/{event.currency}"
    figures = Figures(event.book_minor, outside_minor, event.open_exceptions, event.unexplained_minor)
    days = {**state.reported.get(place, {}), event.day: figures}
    if len(days) > DAYS_KEPT:
        del days[min(days)]
    return {**state.reported, place: days}


def _exceptions(state: Reconciled, event: ExceptionChanged) -> dict[str, ExceptionChanged]:
    exceptions = {name: one for name, one in state.exceptions.items() if name != event.id}
    exceptions[event.id] = event
    if event.state == "resolved":
        resolved = [name for name, one in exceptions.items() if one.state == "resolved"]
        for name in resolved[:-RESOLVED_KEPT]:
            del exceptions[name]
    return exceptions


def reconcile(command: ReconcileDay, state: Reconciled, context: Context) -> Sequence[Event]:
    """Report the day unless the newest report of it says the same; a later one supersedes."""
    explained = {one.references[0] for one in _known(command, state).values() if one.state == "explained"}
    figures = Figures(
        command.book_minor,
        command.outside_minor,
        by_age(command.exceptions, command.day),
        sum(abs(one.minor) for one in command.exceptions if one.reference not in explained),
    )
    if state.reported.get(f"{command.account}/{command.currency}", {}).get(command.day) == figures:
        return ()
    outside_minor = command.outside_minor
    return (
        ReconciliationReported(
            day=command.day,
            account=command.account,
            sub_key=command.sub_key,
            currency=command.currency,
            book_minor=command.book_minor,
            bank_minor=outside_minor if command.account == "1010" else None,
            processor_minor=outside_minor if command.account == "1125" else None,
            difference_minor=(
                sum(one.minor for one in command.exceptions)
                if outside_minor is None
                else command.book_minor - outside_minor
            ),
            open_exceptions=figures.open_exceptions,
            positions=command.positions,
            unexplained_minor=figures.unexplained_minor,
        ),
    )


def review(command: ReviewExceptions, state: Reconciled, context: Context) -> Sequence[Event]:
    """Open what is new or has changed, resolve what is even; at most 500 changes, in the order of references.

    What was explained stays so while its kind and amount stay.
    """
    known = _known(command, state)
    changes: list[ExceptionChanged] = []
    for found in overdue(command.found, context.effective_date):
        now = ExceptionChanged(
            id=exception_id(context.shard, command.account, command.sub_key, command.currency, found.reference),
            account=command.account,
            sub_key=command.sub_key,
            currency=command.currency,
            kind=found.kind,
            minor=found.minor,
            since=found.since,
            state="open",
            reason=None,
            references=(found.reference,),
        )
        before = known.pop(now.id, None)
        if before is None or before.state == "resolved" or (before.kind, before.minor) != (now.kind, now.minor):
            changes.append(now)
    changes += [
        msgspec.structs.replace(one, state="resolved", request_id=None)
        for one in known.values()
        if one.state != "resolved"
    ]
    return sorted(changes, key=lambda one: one.references)[:MOST_CHANGES]


def _known(command: ReconcileDay | ReviewExceptions, state: Reconciled) -> dict[str, ExceptionChanged]:
    place = (command.account, command.sub_key, command.currency)
    return {name: one for name, one in state.exceptions.items() if (one.account, one.sub_key, one.currency) == place}


def explain(request: ExplanationRequested, state: Reconciled, context: Context) -> Sequence[Event]:
    """Note why an exception is open, also in place of an earlier reason; one that is not open is refused."""
    found = state.exceptions.get(request.exception_id)
    if found is None or found.account != request.account:
        return (
            ExplanationRefused(
                request_id=request.request_id, exception_id=request.exception_id, reason="exception_unknown"
            ),
        )
    if found.state == "resolved":
        return (
            ExplanationRefused(
                request_id=request.request_id, exception_id=request.exception_id, reason="exception_resolved"
            ),
        )
    return (
        msgspec.structs.replace(
            found,
            state="explained",
            reason=request.reason,
            explained_by=context.actor.id,
            note_version=request.note_version,
            request_id=request.request_id,
        ),
    )
