"""An object that names no household is followed to it by the intent that it is about, or ignored with a reason."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.billing.domain.commands import IgnoreObject, TraceDispute
from services.billing.effects.times import Ended
from services.billing.effects.traces import Traces
from services.billing.effects.works import OpenTrace
from services.billing.rails.port import DisputeState, RailDown
from tests.unit.billing.effect_story import NOW, ORIGIN, Writer, answering

DISPUTE = DisputeState(
    ref="du_1", status="needs_response", reason="fraudulent", amount_minor=100, currency="USD", intent_ref="pi_1",
    charge_ref="ch_1", tenant="demo", account_id="acc_a", payment_id="pay_0_a", attempt_id="att_0_a", opened_at=NOW,
    due_by=NOW + timedelta(days=7), debited_minor=100, fee_minor=15, debited_at=NOW.replace(hour=3), reinstated_minor=0,
    reinstated_at=None,
)  # fmt: skip


def nudged(kind: str = "charge.dispute.created", *causes: str) -> OpenTrace:
    return OpenTrace(origin=ORIGIN, object_id="du_1", kind=kind, causes=causes or ("e1",))


def but(**fields: Any) -> DisputeState:
    return msgspec.structs.replace(DISPUTE, **fields)


async def followed(work: OpenTrace, *answers: Any) -> list[Any]:
    writer = Writer()
    traces = Traces(answering(dispute=list(answers)), writer.outbox, ZoneInfo("America/New_York"))
    assert await traces.follow(work) == Ended()
    return writer.commands


async def test_a_dispute_is_told_as_it_stands_in_days_of_the_tenants_zone() -> None:
    (told,) = await followed(nudged(), DISPUTE)
    assert isinstance(told, TraceDispute)
    assert (told.account_id, told.payment_id, told.attempt_id) == ("acc_a", "pay_0_a", "att_0_a")
    assert (told.debited_minor, told.fee_minor, told.debited_on) == (100, 15, "2026-03-01")
    assert (told.reinstated_minor, told.reinstated_on) == (0, None)


@pytest.mark.parametrize(
    ("work", "answers", "reason"),
    [
        (nudged("radar.early_fraud_warning.created"), [], "kind_not_needed"),
        (nudged(), [None], "unknown_to_processor"),
        (nudged(), [but(tenant="other")], "not_ours"),
        (nudged(), [but(tenant=None, account_id=None, payment_id=None, attempt_id=None)], "not_ours"),
        (nudged(), [but(attempt_id=None)], "not_ours"),
    ],
)
async def test_what_is_none_of_ours_is_ignored(work: OpenTrace, answers: list[Any], reason: str) -> None:
    assert await followed(work, *answers) == [IgnoreObject(object_id="du_1", reason=reason)]


async def test_each_nudge_is_answered_once() -> None:
    writer, work = Writer(), nudged("charge.dispute.created", "e1", "e2")
    later: datetime = NOW + timedelta(days=1)
    won = but(status="won", reinstated_minor=100, reinstated_at=later)
    traces = Traces(answering(dispute=[DISPUTE, DISPUTE, won]), writer.outbox, ZoneInfo("UTC"))
    await traces.follow(work)
    await traces.follow(work)
    await traces.follow(msgspec.structs.replace(work, causes=("e2",)))
    assert [command.status for command in writer.commands if isinstance(command, TraceDispute)] == [
        "needs_response", "won",
    ]  # fmt: skip


async def test_without_an_answer_nothing_is_said() -> None:
    writer = Writer()
    with pytest.raises(RailDown):
        await Traces(answering(dispute=[RailDown("x")]), writer.outbox, ZoneInfo("UTC")).follow(nudged())
    assert writer.commands == []
