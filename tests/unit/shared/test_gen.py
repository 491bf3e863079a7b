"""What is generated from the contracts is deterministic, complete, and a difference is named."""

import json
from pathlib import Path

import jsonschema
import pytest

from shared.contracts import gen
from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.envelope import ALL_EVENTS
from shared.contracts.ledger import BalanceStated
from shared.contracts.schema import schema_of
from shared.contracts.topics import ALL_TOPICS, LEDGER_BALANCES, topics_of


def test_the_same_contracts_give_the_same_bytes() -> None:
    assert gen.generated() == gen.generated()


def test_every_event_type_has_a_valid_schema() -> None:
    for event in ALL_EVENTS:
        jsonschema.Draft202012Validator.check_schema(schema_of(event))


def test_missing_changed_and_stale_files_are_named(tmp_path: Path) -> None:
    gen.write(tmp_path)
    assert gen.differing(tmp_path) == []
    first = gen.SCHEMAS / f"{ALL_EVENTS[0].TYPE}.json"
    (tmp_path / first).write_text("{}")
    (tmp_path / "docs/metrics.md").unlink()
    (tmp_path / gen.SCHEMAS / "gone.v1.json").write_text("{}")
    assert set(gen.differing(tmp_path)) == {first, Path("docs/metrics.md"), gen.SCHEMAS / "gone.v1.json"}
    gen.write(tmp_path)
    assert gen.differing(tmp_path) == []


def test_check_exits_with_1_and_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gen, "differing", lambda: [Path("docs/metrics.md")])
    assert gen.main(["--check"]) == 1
    assert "docs/metrics.md" in capsys.readouterr().err


def test_the_asyncapi_document_names_every_topic_and_message_and_points_nowhere_else() -> None:
    document = asyncapi_document()
    assert set(document["channels"]) == {topic.name for topic in ALL_TOPICS}
    assert set(document["components"]["messages"]) == {*(event.TYPE for event in ALL_EVENTS), BalanceStated.TYPE}
    assert set(document["channels"][LEDGER_BALANCES]["messages"]) == {BalanceStated.TYPE}
    for reference in _references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    for event in ALL_EVENTS:
        for topic in topics_of(event.TYPE):
            assert event.TYPE in document["channels"][topic]["messages"]


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [reference for inner in value.values() for reference in _references(inner)]
    if isinstance(value, list):
        return [reference for inner in value for reference in _references(inner)]
    return []


def test_the_topic_list_is_plain_json() -> None:
    text = gen.generated()[Path("shared/contracts/topics.json")]
    assert [topic["name"] for topic in json.loads(text)] == [topic.name for topic in ALL_TOPICS]
