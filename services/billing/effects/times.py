"""When an attempt is asked about again, and when it has waited long enough; all on the stack clock."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from services.billing.effects.works import OpenAttempt
from shared.clock import parse_rfc3339

LIMIT = timedelta(minutes=10)
ACTION_TERM = timedelta(minutes=30)
ACTION_POLL = timedelta(seconds=30)
MISASKED_WAIT = timedelta(seconds=30)
ASKING = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
HOURLY = timedelta(hours=1)
PERSON_AFTER = timedelta(hours=24)
BACK_OFF = (0.25, 0.5, 1.0, 2.0, 5.0)


class Ended(msgspec.Struct, frozen=True):
    """An outcome is committed, or another's was."""


Limit = Literal["unknown", "processing", "refund", "transfer"]


class Again(msgspec.Struct, frozen=True):
    """Nothing more now; `at` is when to look again, at the latest. `exceeded`: it waits longer than this limit."""

    at: datetime
    exceeded: Limit | None = None


Next = Ended | Again


def deadline(work: OpenAttempt) -> datetime:
    """Return when an attempt without an end is cancelled."""
    return parse_rfc3339(work.planned_at) + LIMIT


def has_expired(work: OpenAttempt, now: datetime) -> bool:
    """Tell whether the attempt is to be cancelled: unwanted, or past its action's expiry or its limit."""
    if work.is_unwanted:
        return True
    until = parse_rfc3339(work.action_until) if work.action_until is not None else deadline(work)
    return now >= until


def next_asking(since: datetime, now: datetime) -> datetime:
    """Return the first asking time after `now`: 5 s, 30 s, 2 min, 10 min after `since`, then every hour."""
    for wait in ASKING:
        if since + wait > now:
            return since + wait
    hours = (now - since) // HOURLY + 1
    return since + hours * HOURLY


def soon(now: datetime, tries: int) -> Again:
    """Return a short wait that grows with each try in vain."""
    return Again(now + timedelta(seconds=BACK_OFF[min(tries, len(BACK_OFF) - 1)]))
