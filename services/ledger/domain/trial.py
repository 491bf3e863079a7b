"""A tenant's trial balances (`tbl_…`): what was last reported of each day, so that nothing is told twice."""

from collections.abc import Sequence

import msgspec

from shared.contracts.direct import TrialBalanceLine, TrialBalanceReported
from shared.contracts.event import Event
from shared.decider import Command, Context
from shared.ids import content_digest

PREFIX = "tbl_"
DAYS_KEPT = 400


class ReportTrialBalance(Command, frozen=True, kw_only=True):
    """Report the end of a civil day: what all shards held then by effective date, read at `positions`."""

    TYPE = "ledger.report-trial-balance.v1"
    account_id: str
    day: str
    lines: tuple[TrialBalanceLine, ...]
    positions: dict[str, int]


class TrialBalances(msgspec.Struct, frozen=True):
    """`reported`: the digest of the newest figures of each of the last 400 days."""

    stream: str
    reported: dict[str, str] = {}


def stream_of(tenant: str) -> str:
    """Return the stream of a tenant's trial balances."""
    return PREFIX + tenant


def initial(stream: str) -> TrialBalances:
    """Return the state before the first day."""
    return TrialBalances(stream)


def evolve(state: TrialBalances, event: Event) -> TrialBalances:
    """Fold one event of the stream."""
    if not isinstance(event, TrialBalanceReported):
        return state
    reported = {**state.reported, event.day: figures(event.lines)}
    if len(reported) > DAYS_KEPT:
        del reported[min(reported)]
    return msgspec.structs.replace(state, reported=reported)


def report(command: ReportTrialBalance, state: TrialBalances, _context: Context) -> Sequence[Event]:
    """Report the day unless the newest report of it says the same; a later one supersedes.

    Figures that are not even are no trial balance: ValueError.
    """
    if uneven(command.lines):
        raise ValueError(f"the trial balance of {command.day} is not even")
    if state.reported.get(command.day) == figures(command.lines):
        return ()
    return (TrialBalanceReported(day=command.day, lines=command.lines, positions=command.positions),)


def uneven(lines: Sequence[TrialBalanceLine]) -> dict[str, int]:
    """Return all debits less all credits of each currency in which they differ."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, 0) + line.debit_minor - line.credit_minor
    return {currency: minor for currency, minor in sums.items() if minor}


def figures(lines: Sequence[TrialBalanceLine]) -> str:
    """Return the digest by which two reports of a day are told apart."""
    return content_digest([[line.code, line.currency, line.debit_minor, line.credit_minor] for line in lines])
