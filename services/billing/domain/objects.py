"""Things of the processor that name no household: fetched, followed to their household, and told to it."""

import msgspec

from services.billing.domain.commands import IgnoreObject, NudgeObject, TraceDispute
from shared.contracts.billing import DisputeTraced, ObjectIgnored, ObjectNudged
from shared.contracts.event import Event
from shared.contracts.gateway import WebhookReceived
from shared.decider import Context

DISPUTE = "charge.dispute."


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one object's stream: what was told last; None before."""

    told: DisputeTraced | None = None


def initial(stream: str) -> Thing:
    """Return an object of which nothing was told."""
    return Thing()


def evolve(state: Thing, event: Event) -> Thing:
    """Return the object after an event."""
    return Thing(told=event) if isinstance(event, DisputeTraced) else state


def stream_of(object_id: str) -> str:
    """Return the stream of an object."""
    return f"obj_{object_id}"


def nudge_object(message: WebhookReceived | NudgeObject, state: Thing, context: Context) -> tuple[Event, ...]:
    """Have the effect fetch the object."""
    return (ObjectNudged(object_id=message.object_id, kind=message.kind),)


def trace_dispute(command: TraceDispute, state: Thing, context: Context) -> tuple[Event, ...]:
    """Tell the household of its dispute as it stands now; said before, it is ignored."""
    fields = {name: getattr(command, name) for name in command.__struct_fields__ if name != "account_id"}
    traced = DisputeTraced(routed_to=command.account_id, **fields)
    if traced == state.told:
        return (ObjectIgnored(object_id=command.object_id, reason="nothing_new"),)
    return (traced,)


def ignore_object(command: IgnoreObject, state: Thing, context: Context) -> tuple[Event, ...]:
    """Close the question: the object is none of ours."""
    return (ObjectIgnored(object_id=command.object_id, reason=command.reason),)
