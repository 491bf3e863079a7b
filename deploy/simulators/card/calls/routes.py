"""Which URL is which call."""

from deploy.simulators.card.calls import events, intents, money
from deploy.simulators.card.desk import AnyCall
from deploy.simulators.card.errors import no_such_url

_PLAIN: dict[tuple[str, str], AnyCall] = {
    ("POST", "payment_intents"): intents.CREATE,
    ("GET", "payment_intents"): intents.LIST,
    ("GET", "charges"): money.CHARGE_LIST,
    ("POST", "refunds"): money.REFUND,
    ("GET", "refunds"): money.REFUND_LIST,
    ("GET", "disputes"): money.DISPUTE_LIST,
    ("GET", "balance_transactions"): money.LINE_LIST,
    ("GET", "balance"): money.BALANCE,
    ("GET", "payouts"): money.PAYOUT_LIST,
    ("GET", "events"): events.LIST,
}
_ABOUT_ONE: dict[tuple[str, str, str], AnyCall] = {
    ("GET", "payment_intents", ""): intents.RETRIEVE,
    ("POST", "payment_intents", "confirm"): intents.CONFIRM,
    ("POST", "payment_intents", "cancel"): intents.CANCEL,
    ("GET", "charges", ""): money.CHARGE_RETRIEVE,
    ("GET", "refunds", ""): money.REFUND_RETRIEVE,
    ("POST", "refunds", "cancel"): money.REFUND_CANCEL,
    ("GET", "disputes", ""): money.DISPUTE_RETRIEVE,
    ("POST", "disputes", ""): money.DISPUTE_UPDATE,
    ("POST", "disputes", "close"): money.DISPUTE_CLOSE,
    ("GET", "balance_transactions", ""): money.LINE_RETRIEVE,
    ("GET", "payouts", ""): money.PAYOUT_RETRIEVE,
    ("GET", "events", ""): events.RETRIEVE,
}
NAMES = frozenset(call.name for call in (*_PLAIN.values(), *_ABOUT_ONE.values()))


def find(method: str, path: str) -> tuple[AnyCall, str]:
    """Return the call and the id in its path ("" where there is none)."""
    parts = path.split("/")
    if len(parts) > 2 and parts[0] == "" and parts[1] == "v1":
        match parts[2:]:
            case [family]:
                found = _PLAIN.get((method, family))
                if found is not None:
                    return found, ""
            case [family, object_id] if object_id:
                found = _ABOUT_ONE.get((method, family, ""))
                if found is not None:
                    return found, object_id
            case [family, object_id, verb] if object_id and verb:
                found = _ABOUT_ONE.get((method, family, verb))
                if found is not None:
                    return found, object_id
    raise no_such_url(method, path)
