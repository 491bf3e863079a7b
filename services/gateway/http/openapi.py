"""The gateway's OpenAPI document."""

from typing import Any

from services.gateway.errors import PROBLEMS
from services.gateway.http.operations import OPERATIONS
from services.gateway.http.operations.system import MOST_WEBHOOK_BYTES
from shared.http.openapi import document as document_of

_INFO = {
    "title": "Piperoll gateway",
    "version": "1",
    "summary": "Bills, payments and history of health-insurance members",
    "description": "Money is whole minor units (cents). A POST is answered 202 once it is committed, 201 once "
    "its outcome is final (also `refused` and `declined`: the payment exists and says why). An unknown id and "
    "somebody else's look the same. Integers are written without point or exponent.",
}
_SIGNATURE = {
    "name": "Stripe-Signature",
    "in": "header",
    "required": True,
    "description": "`t=UNIX,v1=HEX`: HMAC-SHA256 of time, dot and raw body; at most 300 s old",
    "schema": {"type": "string"},
}
_WEBHOOK = {
    "required": True,
    "description": f"An event object of the processor, at most {MOST_WEBHOOK_BYTES} bytes",
    "content": {"application/json": {"schema": {"type": "object"}}},
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    made = document_of(OPERATIONS, PROBLEMS, _INFO)
    webhook = made["paths"]["/webhooks/cards"]["post"]
    webhook["parameters"].insert(0, _SIGNATURE)
    webhook["requestBody"] = _WEBHOOK
    return made
