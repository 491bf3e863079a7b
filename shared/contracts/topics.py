"""All topics in one place: who produces, how long they are kept, and which event goes where."""

from typing import Literal

import msgspec

from shared.contracts.billing import (
    CheckReturnReported,
    DisputeTraced,
    MergeAnswered,
    MergeProposed,
    MonthsMoved,
    TransferReceived,
    TransferRejected,
    TransferSent,
)
from shared.contracts.direct import DIRECT_REQUESTS, TrialBalanceReported
from shared.contracts.event import Event
from shared.contracts.gateway import ExplanationRequested
from shared.contracts.ledger import ExceptionChanged, ReconciliationReported

DAY_MS = 24 * 60 * 60 * 1000
FOR_EVER = -1


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic; it has as many partitions as there are shards.

    `kind`: `events` carry log events in chains; `state` keeps the newest record of a key; `notice` is short-lived.
    """

    name: str
    producer: str
    consumers: tuple[str, ...]
    kind: Literal["events", "state", "notice", "dead"]
    retention_ms: int = FOR_EVER
    compacted: bool = False


BILLING_COMMANDS = "billing.commands.v1"
BILLING_EVENTS_TOPIC = "billing.events.v1"
BILLING_ROUTED = "billing.routed.v1"
LEDGER_COMMANDS = "ledger.commands.v1"
LEDGER_EVENTS_TOPIC = "ledger.events.v1"
LEDGER_BALANCES = "ledger.balances.v1"
LEDGER_CHECKPOINTS = "ledger.checkpoints.v1"
RECONCILIATION_DAILY = "finance.reconciliation.daily.v1"
RECONCILIATION_EXCEPTIONS = "finance.reconciliation.exceptions.v1"
TRIAL_BALANCE = "finance.trial-balance.v1"
NOTIFIER_COMMANDS = "notifier.commands.v1"
NOTIFIER_EVENTS_TOPIC = "notifier.events.v1"
GATEWAY_ACCESS = "gateway.access.v1"
HEADS = "piperoll.heads.v1"
REFILLS = "piperoll.refills.v1"

SERVICES = ("gateway", "billing", "ledger", "notifier")

_EVENTS: tuple[Topic, ...] = (
    Topic(name=BILLING_COMMANDS, producer="gateway", consumers=("billing",), kind="events", retention_ms=90 * DAY_MS),
    Topic(name=BILLING_EVENTS_TOPIC, producer="billing", consumers=("ledger", "notifier", "gateway"), kind="events"),
    Topic(name=BILLING_ROUTED, producer="billing", consumers=("billing",), kind="events"),
    Topic(name=LEDGER_COMMANDS, producer="gateway", consumers=("ledger",), kind="events", retention_ms=90 * DAY_MS),
    Topic(name=LEDGER_EVENTS_TOPIC, producer="ledger", consumers=("gateway", "billing"), kind="events"),
    Topic(name=RECONCILIATION_DAILY, producer="ledger", consumers=("finance",), kind="events"),
    Topic(name=RECONCILIATION_EXCEPTIONS, producer="ledger", consumers=("finance",), kind="events"),
    Topic(name=TRIAL_BALANCE, producer="ledger", consumers=("finance",), kind="events"),
    Topic(name=NOTIFIER_COMMANDS, producer="gateway", consumers=("notifier",), kind="events", retention_ms=90 * DAY_MS),
    Topic(name=NOTIFIER_EVENTS_TOPIC, producer="notifier", consumers=("gateway",), kind="events",
          retention_ms=365 * DAY_MS),
    Topic(name=GATEWAY_ACCESS, producer="gateway", consumers=("auditors",), kind="events",
          retention_ms=6 * 366 * DAY_MS),
)  # fmt: skip

_OTHERS: tuple[Topic, ...] = (
    Topic(name=LEDGER_BALANCES, producer="ledger", consumers=("anyone",), kind="state", compacted=True),
    Topic(name=LEDGER_CHECKPOINTS, producer="ledger", consumers=("auditors", "witnesses"), kind="state"),
    Topic(name=HEADS, producer="every service", consumers=SERVICES, kind="state", compacted=True),
    Topic(name=REFILLS, producer="every service", consumers=SERVICES, kind="notice", retention_ms=DAY_MS),
)

_DEAD: tuple[Topic, ...] = tuple(
    Topic(name=topic.name + ".dlt", producer=" or ".join(topic.consumers), consumers=("people",), kind="dead",
          retention_ms=90 * DAY_MS)
    for topic in _EVENTS
    if set(topic.consumers) & set(SERVICES)
)  # fmt: skip

ALL_TOPICS: tuple[Topic, ...] = _EVENTS + _OTHERS + _DEAD
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in ALL_TOPICS}

_LOG_TOPIC = {
    "gateway": (BILLING_COMMANDS,),
    "billing": (BILLING_EVENTS_TOPIC,),
    "ledger": (LEDGER_EVENTS_TOPIC,),
    "notifier": (NOTIFIER_EVENTS_TOPIC,),
}
_AT_LEDGER: tuple[type[Event], ...] = (ExplanationRequested, *DIRECT_REQUESTS)
_INSTEAD = {event.TYPE: (LEDGER_COMMANDS,) for event in _AT_LEDGER}
_ALSO = {
    ReconciliationReported.TYPE: (RECONCILIATION_DAILY,),
    ExceptionChanged.TYPE: (RECONCILIATION_EXCEPTIONS,),
    TrialBalanceReported.TYPE: (TRIAL_BALANCE,),
} | {
    event.TYPE: (BILLING_ROUTED,)
    for event in (
        CheckReturnReported,
        DisputeTraced,
        MergeAnswered,
        MergeProposed,
        MonthsMoved,
        TransferReceived,
        TransferRejected,
        TransferSent,
    )
}


def topics_of(event_type: str) -> tuple[str, ...]:
    """Return the topics on which an event of this stored type is published; every event has at least one.

    On `billing.routed.v1` it goes to the shard of the household that its field `routed_to` names, with that as key.
    """
    usual = _LOG_TOPIC[event_type.split(".", 1)[0]]
    return _INSTEAD.get(event_type, usual) + _ALSO.get(event_type, ())


def topics_written_by(service: str) -> tuple[str, ...]:
    """Return every topic on which events of a service's log stand, those that only some of them are on too."""
    return tuple(topic.name for topic in _EVENTS if topic.producer == service)


def consumed_by(service: str) -> tuple[str, ...]:
    """Return the event topics that a service's inbox reads."""
    return tuple(topic.name for topic in _EVENTS if service in topic.consumers)
