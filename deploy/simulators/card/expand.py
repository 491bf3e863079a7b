"""`expand[]`: objects in place of their ids, in a single answer or in every line of a list."""

from typing import Any

import msgspec

from deploy.simulators.card.desk import AnyCall, Desk
from deploy.simulators.card.errors import Invalid
from deploy.simulators.card.lists import as_read

DEEPEST = 4
_TARGETS: dict[str, dict[str, str]] = {
    "payment_intent": {"latest_charge": "charge"},
    "charge": {"balance_transaction": "balance_transaction", "payment_intent": "payment_intent"},
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "balance_transaction": {"source": "charge"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payout": {
        "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction",
    },
}


def check(call: AnyCall, paths: tuple[str, ...]) -> None:
    """Refuse a path that does not lead to an object, before anything is executed."""
    for path in paths:
        parts = path.split(".")
        kind = call.answers
        if call.is_list:
            parts = parts[1:] if parts[0] == "data" else []
        if not parts or len(parts) > DEEPEST:
            raise Invalid(f"This property cannot be expanded ({path}).", param="expand")
        for part in parts:
            if part not in _TARGETS.get(kind, {}):
                raise Invalid(f"This property cannot be expanded ({path}).", param="expand")
            kind = _TARGETS[kind][part]


def expand(desk: Desk, body: bytes, paths: tuple[str, ...]) -> bytes:
    """Return an answer with the objects that `paths` name in place of their ids; `check` has seen the paths."""
    answer = msgspec.json.decode(body)
    for path in paths:
        parts = path.split(".")
        if answer["object"] == "list":
            for each in answer["data"]:
                _put(desk, each, parts[1:])
        else:
            _put(desk, answer, parts)
    return msgspec.json.encode(answer)


def _put(desk: Desk, inside: dict[str, Any], parts: list[str]) -> None:
    value = inside.get(parts[0])
    if isinstance(value, str):
        found = desk.store.find(value)
        if found is not None:
            value = inside[parts[0]] = msgspec.json.decode(as_read(found.kind, found.data, desk.moment.now))
    if isinstance(value, dict) and parts[1:]:
        _put(desk, value, parts[1:])
