"""Why a card was declined: the processor's many codes on a few stable words of ours."""

from enum import StrEnum
from typing import Any


class DeclineReason(StrEnum):
    """What a member may be told, and what a portal may act on."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    LOST_CARD = "lost_card"
    STOLEN_CARD = "stolen_card"
    INCORRECT_CVC = "incorrect_cvc"
    INCORRECT_NUMBER = "incorrect_number"
    ADDRESS_MISMATCH = "address_mismatch"
    CARD_NOT_SUPPORTED = "card_not_supported"
    LIMIT_EXCEEDED = "limit_exceeded"
    BLOCKED = "blocked"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_FAILED = "authentication_failed"
    PROCESSING_ERROR = "processing_error"
    INVALID_PAYMENT_METHOD = "invalid_payment_method"
    AMOUNT_NOT_ACCEPTED = "amount_not_accepted"
    PROCESSOR_REFUSED = "processor_refused"
    GENERIC_DECLINE = "generic_decline"


_OTHER_CODES = {
    "invalid_cvc": DeclineReason.INCORRECT_CVC,
    "invalid_number": DeclineReason.INCORRECT_NUMBER,
    "invalid_account": DeclineReason.INCORRECT_NUMBER,
    "incorrect_address": DeclineReason.ADDRESS_MISMATCH,
    "incorrect_zip": DeclineReason.ADDRESS_MISMATCH,
    "postal_code_invalid": DeclineReason.ADDRESS_MISMATCH,
    "pickup_card": DeclineReason.STOLEN_CARD,
    "invalid_expiry_month": DeclineReason.EXPIRED_CARD,
    "invalid_expiry_year": DeclineReason.EXPIRED_CARD,
    "currency_not_supported": DeclineReason.CARD_NOT_SUPPORTED,
    "card_velocity_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "withdrawal_count_limit_exceeded": DeclineReason.LIMIT_EXCEEDED,
    "fraudulent": DeclineReason.BLOCKED,
    "merchant_blacklist": DeclineReason.BLOCKED,
    "security_violation": DeclineReason.BLOCKED,
    "payment_intent_authentication_failure": DeclineReason.AUTHENTICATION_FAILED,
    "issuer_not_available": DeclineReason.PROCESSING_ERROR,
    "try_again_later": DeclineReason.PROCESSING_ERROR,
    "reenter_transaction": DeclineReason.PROCESSING_ERROR,
    "resource_missing": DeclineReason.INVALID_PAYMENT_METHOD,
    "amount_too_small": DeclineReason.AMOUNT_NOT_ACCEPTED,
    "amount_too_large": DeclineReason.AMOUNT_NOT_ACCEPTED,
}
_OURS = {reason.value: reason for reason in DeclineReason}


def reason_of(error: Any) -> DeclineReason:
    """Return the reason in the processor's error object (mapping or attributes): its decline code, else its code."""
    for name in ("decline_code", "code"):
        code = error.get(name) if isinstance(error, dict) else getattr(error, name, None)
        reason = _OURS.get(code) or _OTHER_CODES.get(code) if code else None
        if reason is not None:
            return reason
    return DeclineReason.GENERIC_DECLINE


def refusal_of(code: str | None) -> DeclineReason:
    """Return why an order was not even taken."""
    return _OTHER_CODES.get(code or "", DeclineReason.PROCESSOR_REFUSED)
