"""A refund is looked for before it is made, ended only where there is none, and told whole."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.billing.domain.commands import EndRefund, NoteRefund
from services.billing.effects.refunds import Refunds
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenRefund, SentRefund
from services.billing.rails.port import Busy, Misasked, NoAnswer, RailDown, Refunded, RefundState, Refused
from shared.clock import ManualClock, rfc3339
from tests.unit.billing.effect_story import NOW, ORIGIN, Writer, answering

NEW_YORK = ZoneInfo("America/New_York")


def work(**more: Any) -> OpenRefund:
    fields: dict[str, Any] = {"sendable_at": rfc3339(NOW), **more}
    return OpenRefund(
        origin=ORIGIN, account_id="acc_a", payment_id="pay_0_a", refund_id="rfd_0_a", amount_minor=100, currency="USD",
        processor_ref="pi_1", charge_ref="ch_1", **fields,
    )  # fmt: skip


def state(status: Any, ref: str = "re_1", refund_id: str | None = "rfd_0_a", **more: Any) -> RefundState:
    fields: dict[str, Any] = {"sent_at": NOW, "ended_at": None, "reason": "unknown", **more}
    return RefundState(ref=ref, refund_id=refund_id, status=status, **fields)


async def run(writer: Writer, rail: Any, one: OpenRefund, tries: int = 0, later: timedelta = timedelta()) -> Next:
    return await Refunds(rail, writer.outbox, ManualClock(NOW + later), NEW_YORK).pursue(one, tries)


def said(writer: Writer) -> list[tuple[str, str]]:
    """Return each note's reference and status, each end's reason."""
    return [
        (command.refund_ref, command.status) if isinstance(command, NoteRefund) else ("", command.reason)
        for command in writer.commands
        if isinstance(command, NoteRefund | EndRefund)
    ]


OTHERS = [state("succeeded", "re_9", "rfd_0_other"), state("succeeded", "re_8", None)]
OURS = state("succeeded")


@pytest.mark.parametrize(
    ("lists", "makes", "one", "expected"),
    [
        ([[OURS]], [], work(), ("re_1", "succeeded")),
        ([OTHERS], [Refunded(OURS)], work(), ("re_1", "succeeded")),
        ([[state("succeeded", "re_2", sent_at=NOW + timedelta(1)), OURS]], [], work(), ("re_1", "succeeded")),
        ([[], []], [Refused("charge_disputed")], work(), ("", "refused_by_processor")),
        ([[], [OURS]], [Refused("charge_already_refunded")], work(), ("re_1", "succeeded")),
        ([[OURS]], [], work(is_stopping=True), ("re_1", "succeeded")),
        ([OTHERS], [], work(is_stopping=True), ("", "chargeback")),
        ([], [], work(approve_by=rfc3339(NOW)), ("", "approval_expired")),
    ],
)
async def test_what_the_list_shows_decides(lists: Any, makes: Any, one: OpenRefund, expected: tuple[str, str]) -> None:
    writer, rail = Writer(), answering(refunds_of=lists[:], refund=makes[:])
    assert await run(writer, rail, one) == Ended()
    assert said(writer) == [expected]
    assert rail.asked.count("refunds_of") == len(lists)


@pytest.mark.parametrize("answer", [NoAnswer(), NoAnswer(spoiled=True), Busy(), Misasked("parameter_unknown")])
async def test_without_an_answer_it_is_looked_for_again_and_nothing_is_said(answer: Any) -> None:
    writer = Writer()
    after = await run(writer, answering(refunds_of=[[]], refund=[answer]), work())
    assert isinstance(after, Again)
    assert after.exceeded is None
    assert writer.commands == []


async def test_an_approval_that_is_missing_has_until_its_time() -> None:
    writer, until = Writer(), NOW + timedelta(days=7)
    assert await run(writer, answering(), work(approve_by=rfc3339(until))) == Again(until)
    assert writer.commands == []


SILENT = RailDown("refund_list")


@pytest.mark.parametrize(
    ("later", "more", "exceeded"),
    [
        (timedelta(hours=23, minutes=59), {}, None),
        (timedelta(hours=24), {}, "refund"),
        (timedelta(days=9), {"is_sent": True}, None),
    ],
)
@pytest.mark.parametrize("lists", [[SILENT], [[]]])
async def test_a_refund_that_could_not_be_sent_for_a_day_exceeds_its_limit(
    lists: Any, later: timedelta, more: Any, exceeded: str | None
) -> None:
    rail = answering(refunds_of=lists[:], refund=[NoAnswer()])
    after = await run(Writer(), rail, work(**more), 3, later)
    assert isinstance(after, Again)
    assert after.exceeded == exceeded


@pytest.mark.parametrize("days", [0, 9])
async def test_a_pending_refund_is_told_and_asked_for_again_however_long_it_takes(days: int) -> None:
    writer, later = Writer(), timedelta(days=days)
    after = await run(writer, answering(refunds_of=[[state("pending")]]), work(), 1, later)
    assert isinstance(after, Again)
    assert (after.exceeded, after.at > NOW + later) == (None, True)
    assert said(writer) == [("re_1", "pending")]


async def test_a_failure_is_told_again_when_its_line_is_there() -> None:
    writer, line = Writer(), NOW + timedelta(days=1)
    failed, undone = state("failed"), state("failed", ended_at=line)
    assert isinstance(await run(writer, answering(refunds_of=[[failed]]), work()), Again)
    assert await run(writer, answering(refunds_of=[[undone]]), work()) == Ended()
    notes = [command for command in writer.commands if isinstance(command, NoteRefund)]
    assert [note.ended_on for note in notes] == [None, "2026-03-03"]


async def test_days_are_those_of_the_tenants_zone() -> None:
    writer = Writer()
    midnight = NOW.replace(hour=3)
    await run(writer, answering(refunds_of=[[state("succeeded", sent_at=midnight)]]), work())
    (note,) = writer.commands
    assert isinstance(note, NoteRefund)
    assert note.sent_on == "2026-03-01"


@pytest.mark.parametrize(("answer", "expected"), [(state("failed", ended_at=NOW), [("re_1", "failed")]), (None, [])])
async def test_a_refund_that_had_its_end_is_read_by_its_name(answer: Any, expected: list[tuple[str, str]]) -> None:
    writer = Writer()
    again = SentRefund(origin=ORIGIN, account_id="acc_a", refund_id="rfd_0_a", object_id="re_1")
    rail = answering(refund_state=[answer])
    assert await Refunds(rail, writer.outbox, ManualClock(NOW), NEW_YORK).look_again(again) == Ended()
    assert said(writer) == expected


async def test_a_key_that_the_processor_answered_with_a_fault_is_not_used_again() -> None:
    keys: list[str] = []

    class Faulty:
        processor = "card"

        async def refunds_of(self, intent_ref: str) -> list[RefundState]:
            return []

        async def refund(self, order: Any) -> NoAnswer:
            keys.append(order.key)
            return NoAnswer(spoiled=len(keys) == 2)

    rail: Any = Faulty()
    refunds = Refunds(rail, Writer().outbox, ManualClock(NOW), NEW_YORK)
    for tries in range(3):
        await refunds.pursue(work(), tries)
    assert keys[0] == keys[1] != keys[2]
