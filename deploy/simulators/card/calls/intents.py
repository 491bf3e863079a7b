"""The PaymentIntent calls."""

from deploy.simulators.card import intents, lists
from deploy.simulators.card.cards import CARDS
from deploy.simulators.card.desk import Call, Desk
from deploy.simulators.card.errors import Invalid, missing
from deploy.simulators.card.form import Parameters, required
from deploy.simulators.card.intents import Confirm, Create
from deploy.simulators.card.lists import ListAsk
from deploy.simulators.card.objects import Decision, names

URL = "/v1/payment_intents"
LARGEST_AMOUNT = 99_999_999
CANCELLATION_REASONS = frozenset({"abandoned", "duplicate", "fraudulent", "requested_by_customer"})

_BOTH_UNSUPPORTED = names(
    "allowed_payment_method_types amount_details confirmation_token excluded_payment_method_types hooks "
    "payment_details payment_method_data payment_method_options radar_options shipping"
)
_CONFIRM = names(
    "capture_method error_on_requires_action expand mandate mandate_data off_session payment_method "
    "receipt_email return_url setup_future_usage use_stripe_sdk"
)
_CONFIRM_UNSUPPORTED = _BOTH_UNSUPPORTED | {"amount_to_confirm"}
_CREATE = _CONFIRM | names(
    "amount automatic_payment_methods confirm confirmation_method currency customer description metadata "
    "payment_method_types statement_descriptor statement_descriptor_suffix"
)
_CREATE_UNSUPPORTED = _BOTH_UNSUPPORTED | names(
    "application_fee_amount customer_account on_behalf_of payment_method_configuration transfer_data transfer_group"
)


def _read_create(parameters: Parameters, _: str) -> Create:
    parameters.only(_CREATE, _CREATE_UNSUPPORTED)
    amount = parameters.integer("amount", 1, LARGEST_AMOUNT)
    if amount is None:
        raise required("amount")
    currency = parameters.text("currency")
    if currency is None:
        raise required("currency")
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        raise Invalid(f"Invalid currency: {currency}", param="currency")
    if any(kind != "card" for kind in parameters.texts("payment_method_types")):
        raise Invalid("The card simulator takes the payment method type card only.", param="payment_method_types")
    _only_one(parameters, "confirmation_method", "automatic")
    automatic = parameters.hash("automatic_payment_methods", frozenset({"enabled", "allow_redirects"}))
    confirm = _read_confirmation(parameters, "")
    return Create(
        amount=amount,
        currency=currency.lower(),
        payment_method=confirm.payment_method,
        customer=parameters.text("customer"),
        description=parameters.text("description", 1_000),
        metadata=parameters.metadata(),
        receipt_email=confirm.receipt_email,
        setup_future_usage=confirm.setup_future_usage,
        statement_descriptor=parameters.text("statement_descriptor", 22),
        statement_descriptor_suffix=parameters.text("statement_descriptor_suffix", 22),
        automatic_payment_methods=automatic.get("enabled") == "true",
        confirm=confirm if parameters.flag("confirm") else None,
    )


def _read_confirm(parameters: Parameters, intent_id: str) -> Confirm:
    parameters.only(_CONFIRM, _CONFIRM_UNSUPPORTED)
    return _read_confirmation(parameters, intent_id)


def _read_confirmation(parameters: Parameters, intent_id: str) -> Confirm:
    if parameters.text("capture_method") not in (None, "automatic", "automatic_async"):
        raise Invalid("The card simulator captures automatically only.", param="capture_method")
    token = parameters.text("payment_method")
    if token is not None and token not in CARDS:
        raise missing("PaymentMethod", token, "payment_method", 400)
    return Confirm(
        intent_id=intent_id,
        payment_method=token,
        return_url=parameters.text("return_url"),
        off_session=parameters.text("off_session") not in (None, "false"),
        error_on_requires_action=parameters.flag("error_on_requires_action"),
        receipt_email=parameters.text("receipt_email"),
        setup_future_usage=parameters.choice("setup_future_usage", frozenset({"on_session", "off_session"})),
    )


def _only_one(parameters: Parameters, name: str, value: str) -> None:
    if parameters.text(name) not in (None, value):
        raise Invalid(f"The card simulator supports {name}={value} only.", param=name)


def _create(desk: Desk, ask: Create) -> Decision:
    if ask.amount < desk.terms.minimum_amount:
        text = f"Amount must be at least {desk.terms.minimum_amount} {ask.currency}"
        raise Invalid(text, "amount_too_small", "amount")
    return intents.create(ask, desk.twist, desk.terms, desk.site, desk.moment)


def _confirm(desk: Desk, ask: Confirm) -> Decision:
    return intents.confirm(desk.intent(ask.intent_id), ask, desk.twist, desk.terms, desk.site, desk.moment)


def _read_cancel(parameters: Parameters, intent_id: str) -> tuple[str, str | None]:
    parameters.only(frozenset({"cancellation_reason", "expand"}))
    return intent_id, parameters.choice("cancellation_reason", CANCELLATION_REASONS)


def _cancel(desk: Desk, ask: tuple[str, str | None]) -> Decision:
    intent_id, reason = ask
    return intents.cancel(desk.intent(intent_id), reason, desk.moment)


def _read_retrieve(parameters: Parameters, intent_id: str) -> str:
    parameters.only(frozenset({"client_secret", "expand"}))
    return intent_id


def _retrieve(desk: Desk, intent_id: str) -> Decision:
    return lists.run_retrieve(desk, "payment_intent", intent_id, "intent")


def _read_list(parameters: Parameters, _: str) -> ListAsk:
    parameters.only(lists.PAGING, frozenset({"customer", "customer_account"}))
    return lists.read_list(parameters, "payment_intent", URL, {})


CREATE = Call("create", _read_create, _create, "payment_intent")
CONFIRM = Call("confirm", _read_confirm, _confirm, "payment_intent")
CANCEL = Call("cancel", _read_cancel, _cancel, "payment_intent")
RETRIEVE = Call("retrieve", _read_retrieve, _retrieve, "payment_intent")
LIST = Call("list", _read_list, lists.run_list, "payment_intent", is_list=True)
