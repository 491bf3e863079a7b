"""Messages as they were first written: every type has one, and for ever it still parses and encodes to the same bytes.

A golden is never edited. A field that is added with a default makes the re-encoded payload longer; the old file then
moves to `<type>.<n>.json`, which must still parse, and the new form gets a file of its own.
"""

import re
from pathlib import Path

import jsonschema
import msgspec
import pytest

from services.billing.handlers import REGISTRY as BILLING
from services.ledger.handlers import REGISTRY as LEDGER
from services.notifier.handlers import REGISTRY as NOTIFIER
from shared.contracts.envelope import ALL_EVENTS, BY_TYPE, encode_event, open_fact, seal
from shared.contracts.schema import schema_of

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
REGISTRIES = {registry.service: registry for registry in (BILLING, LEDGER, NOTIFIER)}
WITHOUT_STATE = {"gateway"}
"""The gateway keeps no state of its log: each of its events is a request that somebody else decides."""
OLDER = re.compile(r"\.v\d+\.\d+$")


def sealed(file: Path) -> bytes:
    return file.read_bytes().rstrip(b"\n")


def type_of(file: Path) -> str:
    return OLDER.sub(lambda found: found.group().rsplit(".", 1)[0], file.stem)


@pytest.mark.parametrize("event", ALL_EVENTS, ids=lambda event: str(event.TYPE))
def test_every_type_has_a_golden_message(event: type) -> None:
    assert (GOLDEN / f"{event.TYPE}.json").is_file()  # type: ignore[attr-defined]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_an_old_message_still_parses_to_its_typed_event(file: Path) -> None:
    fact = open_fact(sealed(file))
    assert fact.envelope.type == type_of(file)
    assert type(fact.event) is BY_TYPE[fact.envelope.type]


@pytest.mark.parametrize("file", [f for f in FILES if not OLDER.search(f.stem)], ids=lambda file: str(file.stem))
def test_a_message_encodes_to_the_same_bytes(file: Path) -> None:
    data = sealed(file)
    fact = open_fact(data)
    payload = encode_event(fact.event)
    assert bytes(payload) == bytes(fact.envelope.payload)
    assert seal(msgspec.structs.replace(fact.envelope, payload=payload)) == data


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_message_fits_its_published_schema(file: Path) -> None:
    jsonschema.Draft202012Validator(schema_of(BY_TYPE[type_of(file)])).validate(msgspec.json.decode(sealed(file)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_new_version_folds_an_old_message_of_its_own_log_into_a_state_that_a_snapshot_can_keep(file: Path) -> None:
    fact = open_fact(sealed(file))
    service = fact.envelope.type.partition(".")[0]
    if service in WITHOUT_STATE:
        assert service not in REGISTRIES
        return
    stream = fact.envelope.stream
    kind = REGISTRIES[service].kind_of(stream)
    state = kind.evolve(kind.initial(stream), fact.event)
    assert msgspec.json.decode(msgspec.json.encode(state), type=kind.state_type) == state
