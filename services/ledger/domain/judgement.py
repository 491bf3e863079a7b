"""Whether the books allow what is proposed: judged as it is asked for, and again at its last approval."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple, get_args

from services.ledger.domain.accounts import moves_of
from services.ledger.domain.journal import NOBODY, Journal
from services.ledger.domain.proposals import ChangePlan, EntryPlan, Plan
from shared.contracts.direct import DirectCode, DirectRefusal, Leg
from shared.money import MAX_MINOR

DIRECT_CODES: frozenset[str] = frozenset(get_args(DirectCode))
PRECEDENCE: tuple[DirectRefusal, ...] = get_args(DirectRefusal)
MOST_LEGS = 20


class Fault(NamedTuple):
    """Why something may not be, and the field of the request that says so."""

    reason: DirectRefusal
    field: str | None = None


def fault_of(plan: Plan, journal: Journal, today: str, proposal_id: str) -> Fault | None:
    """Return the fault that comes first in `DirectRefusal`'s order, of several legs the first one's; None for none."""
    match plan:
        case EntryPlan():
            faults = _of_entry(plan, journal, today)
        case ChangePlan():
            faults = _of_change(plan, journal, proposal_id)
    return min(faults, key=lambda fault: PRECEDENCE.index(fault.reason), default=None)


def _of_entry(plan: EntryPlan, journal: Journal, today: str) -> Iterator[Fault]:
    taken = None if plan.reverses is None else journal.entries.find(plan.reverses)
    is_known = plan.reverses is None or taken is not None
    for number, leg in enumerate(plan.legs):
        if leg.code not in DIRECT_CODES:
            yield Fault("decided_elsewhere", f"legs.{number}.code")
        elif is_known:
            yield from _of_place(leg.code, leg.sub_key, plan.currency, journal, f"legs.{number}")
    yield from _of_sums(plan, journal)
    if not _has_come(plan.effective_date, today):
        yield Fault("effective_date_in_future", "effective_date")
    if not is_known:
        yield Fault("entry_unknown", "entry_id")
    if taken is not None and not taken.covers(plan.legs):
        yield Fault("reversal_exceeds_entry", "legs")


def _of_place(code: str, sub_key: str, currency: str, journal: Journal, field: str) -> Iterator[Fault]:
    account = journal.accounts.at(code, currency, sub_key)
    if account is None:
        yield _unknown(code, sub_key, journal, field)
    elif account.status == "closed":
        yield Fault("ledger_account_closed", field)
    elif account.status == "frozen":
        yield Fault("ledger_account_frozen", field)


def _unknown(code: str, sub_key: str, journal: Journal, field: str | None) -> Fault:
    is_other = journal.accounts.is_in_another_currency(code, sub_key)
    return Fault("currency_differs" if is_other else "ledger_account_unknown", field)


def _of_sums(plan: EntryPlan, journal: Journal) -> Iterator[Fault]:
    debit_minor, credit_minor = _side(plan.legs, "D"), _side(plan.legs, "C")
    is_nothing = not plan.legs and plan.reverses is None
    if debit_minor != credit_minor or is_nothing:
        yield Fault("journal_unbalanced", "legs")
    moves = moves_of(plan.currency, ((one.code, one.sub_key, one.side, one.amount_minor) for one in plan.legs))
    held = {name: journal.accounts.find(name) for name in moves}
    after = [moves[name] + (0 if account is None else account.moved_minor) for name, account in held.items()]
    most_minor = max([debit_minor, credit_minor, *(abs(minor) for minor in after)])
    if len(plan.legs) > MOST_LEGS or most_minor > MAX_MINOR:
        yield Fault("journal_too_large", "legs")


def _side(legs: Iterable[Leg], side: str) -> int:
    return sum(one.amount_minor for one in legs if one.side == side)


def _has_come(day: str, today: str) -> bool:
    """Tell whether a day is over or is today; one that no calendar has never comes."""
    try:
        return date.fromisoformat(day) <= date.fromisoformat(today)
    except ValueError:
        return False


def _of_change(plan: ChangePlan, journal: Journal, proposal_id: str) -> Iterator[Fault]:
    if plan.code not in DIRECT_CODES:
        yield Fault("decided_elsewhere", "code")
        return
    account = journal.accounts.at(plan.code, plan.currency, plan.sub_key)
    if plan.change == "open":
        if account is not None:
            yield Fault("ledger_account_exists")
    elif account is None:
        yield _unknown(plan.code, plan.sub_key, journal, None)
    elif account.ledger_account_id != plan.ledger_account_id:
        yield Fault("ledger_account_unknown", "ledger_account_id")
    elif account.status == "closed":
        yield Fault("ledger_account_closed")
    elif plan.change == "freeze" and account.status == "frozen":
        yield Fault("ledger_account_frozen")
    elif plan.change == "unfreeze" and account.status != "frozen":
        yield Fault("ledger_account_not_frozen")
    if journal.change_of(plan) not in (NOBODY, proposal_id):
        yield Fault("proposal_pending")
