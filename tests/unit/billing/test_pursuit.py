"""What an attempt's effect does with each answer: asks on, cancels, or says how it ended."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.billing.domain.commands import CancelAttempt, DeclineAttempt, FoundCharge, SettleAttempt
from services.billing.effects.pursuit import Pursuit
from services.billing.effects.times import Again, Ended, Next
from services.billing.effects.works import OpenAttempt, StrangeThing
from services.billing.rails.port import (
    ActionRequired,
    Busy,
    Canceled,
    Misasked,
    NoAnswer,
    NoSuccess,
    Processing,
    RailDown,
    Succeeded,
    Unconfirmed,
)
from shared.clock import ManualClock, rfc3339
from tests.unit.billing.effect_story import NOW, ORIGIN, Writer, answering

PAID = Succeeded(ref="pi_1", charge_ref="ch_1", amount_minor=100, currency="USD", settled_at=NOW)


def attempt(**more: Any) -> OpenAttempt:
    fields: dict[str, Any] = {"planned_at": rfc3339(NOW), "processor_ref": "pi_1", **more}
    return OpenAttempt(
        origin=ORIGIN, account_id="acc_a", payment_id="pay_0_a", attempt_id="att_0_a", amount_minor=100, currency="USD",
        token="pm_card_visa", **fields,
    )  # fmt: skip


def pursuit(rail: Any, writer: Writer, later: timedelta = timedelta()) -> Pursuit:
    return Pursuit(rail, writer.outbox, ManualClock(NOW + later), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("unknown_for", "exceeded"),
    [(timedelta(hours=23, minutes=59), None), (timedelta(hours=24), "unknown"), (timedelta(days=9), "unknown")],
)
async def test_an_outcome_not_known_for_a_day_exceeds_its_limit(unknown_for: timedelta, exceeded: str | None) -> None:
    since = rfc3339(NOW - unknown_for)
    work = attempt(planned_at=since, unknown_since=since)
    answer = await pursuit(answering(retrieve=[NoAnswer()]), Writer()).pursue(work, tries=0)
    assert isinstance(answer, Again)
    assert NOW < answer.at <= NOW + timedelta(hours=1)
    assert answer.exceeded == exceeded


@pytest.mark.parametrize(
    ("later", "exceeded"), [(timedelta(days=1, hours=23), None), (timedelta(days=2), "processing")]
)
async def test_two_bank_days_of_processing_exceed_the_limit(later: timedelta, exceeded: str | None) -> None:
    answer = await pursuit(answering(retrieve=[Processing()]), Writer(), later).pursue(attempt(), tries=0)
    assert isinstance(answer, Again)
    assert answer.exceeded == exceeded


UNWANTED = attempt(is_unwanted=True)


@pytest.mark.parametrize(
    ("work", "retrieves", "cancels", "said"),
    [
        (UNWANTED, [Unconfirmed()], [Canceled(None)], CancelAttempt),
        (UNWANTED, [ActionRequired("https://bank")], [Canceled(None)], CancelAttempt),
        (UNWANTED, [ActionRequired("https://bank")], [PAID], SettleAttempt),
        (UNWANTED, [PAID], [], SettleAttempt),
        (UNWANTED, [NoSuccess("lost_card")], [Canceled(None)], DeclineAttempt),
        (attempt(is_unwanted=True, processor_ref=None), [], [], CancelAttempt),
    ],
)
async def test_what_is_not_wanted_any_more_is_cancelled_unless_it_has_charged(
    work: OpenAttempt, retrieves: list[Any], cancels: list[Any], said: type[Any]
) -> None:
    writer, rail = Writer(), answering(retrieve=retrieves[:], cancel=cancels[:])
    assert await pursuit(rail, writer).pursue(work, tries=0) == Ended()
    (command,) = writer.commands
    assert isinstance(command, said)
    if isinstance(command, CancelAttempt):
        assert command.reason == "cancelled_by_member"
    assert "confirm" not in rail.asked


@pytest.mark.parametrize(
    ("retrieves", "cancels"),
    [([Processing()], []), ([NoAnswer()], []), ([Unconfirmed()], [NoAnswer()]), ([Unconfirmed()], [Processing()]),
     ([Busy()], []), ([Misasked("resource_missing")], [])],
)  # fmt: skip
async def test_what_cannot_be_cancelled_yet_is_asked_about_on(retrieves: list[Any], cancels: list[Any]) -> None:
    writer, rail = Writer(), answering(retrieve=retrieves[:], cancel=cancels[:])
    assert isinstance(await pursuit(rail, writer).pursue(UNWANTED, tries=0), Again)
    assert not any(isinstance(command, CancelAttempt | SettleAttempt) for command in writer.commands)


@pytest.mark.parametrize("url", ["https://portal/back", None])
async def test_the_member_comes_back_to_where_they_asked(url: str | None) -> None:
    seen: list[str | None] = []

    class Rail:
        processor = "card"

        async def retrieve(self, ref: str) -> Unconfirmed:
            return Unconfirmed()

        async def confirm(self, ref: str, return_url: str | None) -> Succeeded:
            seen.append(return_url)
            return PAID

    await pursuit(Rail(), Writer()).pursue(attempt(return_url=url), tries=0)
    assert seen == [url]


def strange(object_id: str) -> StrangeThing:
    return StrangeThing(
        origin=ORIGIN, account_id="acc_a", payment_id="pay_0_a", attempt_id="att_0_a", object_id=object_id
    )


async def look(object_id: str, **answers: Any) -> tuple[Next, list[Any], list[str]]:
    writer, rail = Writer(), answering(**answers)
    after = await pursuit(rail, writer).look_at(strange(object_id), tries=0)
    return after, writer.commands, rail.asked


async def test_a_charge_that_took_money_is_found() -> None:
    after, commands, _ = await look("ch_1", charge=[PAID])
    (found,) = commands
    assert isinstance(found, FoundCharge)
    assert (after, found.charge_ref, found.processor_ref) == (Ended(), "ch_1", "pi_1")


@pytest.mark.parametrize(
    ("object_id", "answers", "asked"),
    [
        ("ch_1", {"charge": [Canceled(None)]}, ["charge"]),
        ("ch_1", {"charge": [Misasked("resource_missing")]}, ["charge"]),
        ("pi_2", {"retrieve": [Unconfirmed()], "cancel": [Canceled(None)]}, ["retrieve", "cancel"]),
        ("pi_2", {"retrieve": [Canceled(None)]}, ["retrieve"]),
    ],
)
async def test_what_took_none_is_no_case_and_shall_take_none(
    object_id: str, answers: dict[str, Any], asked: list[str]
) -> None:
    assert await look(object_id, **answers) == (Ended(), [], asked)


async def test_a_charge_is_asked_for_until_there_is_an_answer() -> None:
    with pytest.raises(RailDown):
        await look("ch_1", charge=[RailDown("charge_retrieve")])
    after, commands, _ = await look("pi_2", retrieve=[NoAnswer()])
    assert (type(after), commands) == (Again, [])
