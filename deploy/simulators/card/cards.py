"""The test cards: which token pays, declines, asks for authentication, or brings trouble later."""

from typing import Any, Literal, assert_never

from msgspec import Struct

from deploy.simulators.card.objects import Problem, names


class Declines(Struct, frozen=True):
    """The issuer, or the fraud filter where `blocked`, says no."""

    code: str
    decline_code: str
    message: str = "Your card was declined."
    blocked: bool = False


class Pays(Struct, frozen=True):
    """The charge goes through; what follows it is the rest."""

    at_once: bool = False
    disputes: tuple[str, ...] = ()
    inquiry: bool = False
    fraud_warning: bool = False
    risk: Literal["normal", "elevated"] = "normal"
    refund: Literal["succeeds", "pends", "fails"] = "succeeds"


class Asks(Struct, frozen=True):
    """3-D Secure first, `then` the rest; without the customer there, a decline."""

    then: "Pays | Declines" = Pays()


Behaviour = Pays | Declines | Asks


class Card(Struct, frozen=True):
    token: str
    behaviour: Behaviour
    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"


_OWN_CODE = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "incorrect_address": "Your card's address is incorrect.",
    "incorrect_zip": "Your card's zip code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
_SAYS = {
    "insufficient_funds": "Your card has insufficient funds.",
    "card_not_supported": "Your card is not supported.",
    "currency_not_supported": "Your card does not support this currency.",
}
DECLINE_CODES = names(
    "approve_with_id authentication_required call_issuer card_not_supported card_velocity_exceeded "
    "currency_not_supported do_not_honor do_not_try_again duplicate_transaction expired_card fraudulent "
    "generic_decline incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip insufficient_funds "
    "invalid_account invalid_amount invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number "
    "issuer_not_available lost_card merchant_blacklist new_account_information_available no_action_taken "
    "not_permitted offline_pin_required online_or_offline_pin_required pickup_card pin_try_exceeded "
    "processing_error reenter_transaction restricted_card revocation_of_all_authorizations "
    "revocation_of_authorization security_violation service_not_allowed stolen_card stop_payment_order "
    "testmode_decline transaction_not_allowed try_again_later withdrawal_count_limit_exceeded"
)


def declines(decline_code: str) -> Declines:
    """Return the decline for one of `DECLINE_CODES`, with the code and sentence that belong to it."""
    if decline_code in _OWN_CODE:
        return Declines(decline_code, decline_code, _OWN_CODE[decline_code])
    return Declines("card_declined", decline_code, _SAYS.get(decline_code, "Your card was declined."))


_BLOCKED = Declines("card_declined", "fraudulent", blocked=True)


def _cards(*cards: Card) -> dict[str, Card]:
    return {card.token: card for card in cards}


CARDS = _cards(
    Card("pm_card_visa", Pays()),
    Card("pm_card_visa_debit", Pays(), last4="5556", funding="debit"),
    Card("pm_card_mastercard", Pays(), "mastercard", "4444"),
    Card("pm_card_mastercard_debit", Pays(), "mastercard", "3222", "debit"),
    Card("pm_card_amex", Pays(), "amex", "8431"),
    Card("pm_card_discover", Pays(), "discover", "9424"),
    Card("pm_card_us", Pays()),
    Card("pm_card_bypassPending", Pays(at_once=True), last4="0077"),
    Card("pm_card_visa_chargeDeclined", declines("generic_decline"), last4="0002"),
    Card("pm_card_chargeDeclined", declines("generic_decline"), last4="0002"),
    Card("pm_card_visa_chargeDeclinedInsufficientFunds", declines("insufficient_funds"), last4="9995"),
    Card("pm_card_chargeDeclinedInsufficientFunds", declines("insufficient_funds"), last4="9995"),
    Card("pm_card_visa_chargeDeclinedLostCard", declines("lost_card"), last4="9987"),
    Card("pm_card_visa_chargeDeclinedStolenCard", declines("stolen_card"), last4="9979"),
    Card("pm_card_chargeDeclinedExpiredCard", declines("expired_card"), last4="0069"),
    Card("pm_card_chargeDeclinedIncorrectCvc", declines("incorrect_cvc"), last4="0127"),
    Card("pm_card_avsFail", declines("incorrect_zip"), last4="0010"),
    Card("pm_card_avsZipFail", declines("incorrect_zip"), last4="0036"),
    Card("pm_card_chargeDeclinedProcessingError", declines("processing_error"), last4="0119"),
    Card("pm_card_visa_chargeDeclinedVelocityLimitExceeded", declines("card_velocity_exceeded"), last4="6975"),
    Card("pm_card_chargeCustomerFail", declines("generic_decline"), last4="0341"),
    Card("pm_card_radarBlock", _BLOCKED, last4="0019"),
    Card("pm_card_riskLevelHighest", _BLOCKED, last4="4954"),
    Card("pm_card_riskLevelElevated", Pays(risk="elevated"), last4="9235"),
    Card("pm_card_authenticationRequired", Asks(), last4="3184"),
    Card("pm_card_threeDSecure2Required", Asks(), last4="3220"),
    Card("pm_card_threeDSecureRequired", Asks(), last4="3063"),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        Asks(declines("insufficient_funds")),
        last4="8260",
    ),
    Card("pm_card_threeDSecureRequiredChargeDeclined", Asks(declines("generic_decline")), last4="1629"),
    Card("pm_card_createDispute", Pays(disputes=("fraudulent",)), last4="0259"),
    Card("pm_card_createDisputeProductNotReceived", Pays(disputes=("product_not_received",)), last4="2685"),
    Card("pm_card_createDisputeInquiry", Pays(disputes=("fraudulent",), inquiry=True), last4="1976"),
    Card("pm_card_createMultipleDisputes", Pays(disputes=("fraudulent", "fraudulent")), last4="0044"),
    Card("pm_card_createIssuerFraudRecord", Pays(fraud_warning=True), last4="5423"),
    Card("pm_card_pendingRefund", Pays(refund="pends"), last4="7726"),
    Card("pm_card_refundFail", Pays(refund="fails"), last4="5126"),
)


def payment_method(card: Card) -> dict[str, Any]:
    """Return the card as the payment method object that errors carry."""
    return {"id": card.token, "object": "payment_method", "type": "card", "card": details(card), "livemode": False}


def details(card: Card) -> dict[str, Any]:
    return {
        "brand": card.brand,
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "funding": card.funding,
        "last4": card.last4,
    }


def problem(decline: Declines, card: Card, charge: str | None) -> Problem:
    """Return the `card_error` of a decline."""
    return Problem(
        type="card_error",
        message=decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        charge=charge,
        payment_method=payment_method(card),
    )


def after_authentication(behaviour: Behaviour) -> Pays | Declines:
    """Return what is left of a behaviour once 3-D Secure was passed."""
    match behaviour:
        case Asks(then):
            return then
        case Pays() | Declines():
            return behaviour
        case _:
            assert_never(behaviour)
