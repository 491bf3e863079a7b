"""Requests that nobody answers: which are overdue, as pure bookkeeping."""

from datetime import UTC, datetime

import pytest

from services.gateway import alarms
from services.gateway.alarms import Asked, Overdue

AT = datetime(2026, 11, 24, tzinfo=UTC)


def asked(position: int, *, shard: int = 3, has_word: bool = False) -> Asked:
    return Asked(f"pay_{shard}_{position}", "payment", shard, position, AT, has_word)


def looking_after(*shards: int) -> Overdue:
    overdue = Overdue()
    overdue.look_after(shards)
    return overdue


def test_a_request_without_a_word_is_overdue_once() -> None:
    overdue = looking_after(3)
    assert overdue.take([asked(1), asked(2, has_word=True), asked(3)]) == [asked(1), asked(3)]
    assert (overdue.seen, list(overdue.waiting)) == ({3: 3}, ["pay_3_1", "pay_3_3"])


def test_what_was_answered_after_all_is_overdue_no_more() -> None:
    overdue = looking_after(3)
    overdue.take([asked(1), asked(2)])
    overdue.keep({"pay_3_2"})
    assert list(overdue.waiting) == ["pay_3_2"]


def test_a_shard_that_goes_to_another_worker_takes_its_requests_along() -> None:
    overdue = looking_after(3, 4)
    overdue.take([asked(5), asked(6, shard=4)])
    overdue.look_after([4, 5])
    assert (overdue.seen, list(overdue.waiting)) == ({4: 6, 5: 0}, ["pay_4_6"])


def test_an_outage_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "MOST_OVERDUE", 2)
    overdue = looking_after(3)
    overdue.take([asked(1)])
    assert not overdue.is_full
    overdue.take([asked(2)])
    assert overdue.is_full
