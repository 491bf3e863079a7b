"""The ledger's HTTP: its document, its codes and its operations are one."""

import re
from typing import Any

import jsonschema
import pytest

from services.ledger.errors import PROBLEMS
from services.ledger.http.gen import FILE, ledger_openapi_json
from services.ledger.http.openapi import document
from services.ledger.http.operations import OPERATIONS
from shared.auth.roles import Role, allows

DOCUMENT = document()


def test_the_committed_document_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == ledger_openapi_json()


def test_every_code_that_an_operation_names_has_words() -> None:
    assert {code for operation in OPERATIONS for code in operation.problems} <= set(PROBLEMS)


def test_nothing_can_be_written_and_members_read_nothing() -> None:
    assert {operation.method for operation in OPERATIONS} == {"GET"}
    for operation in OPERATIONS:
        if operation.permission is not None:
            assert [role for role in Role if allows(role, operation.permission)] == [
                Role.FINANCE, Role.AUDITOR, Role.OPERATOR,
            ]  # fmt: skip
        else:
            assert not operation.documented


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"].values(), ids=DOCUMENT["components"]["schemas"])
def test_every_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_is_there() -> None:
    for kind, name in re.findall(r"#/components/(\w+)/([\w-]+)", ledger_openapi_json()):
        assert name in DOCUMENT["components"][kind]
