"""The card simulator's edges: parameters, faults, signatures, settings, the environment."""

from pathlib import Path

import pytest
import stripe

from deploy.simulators.card import config, expand, faults, webhooks
from deploy.simulators.card.calls import intents, routes
from deploy.simulators.card.errors import ApiError, Invalid
from deploy.simulators.card.faults import BadFault, Fault, FaultAsk
from deploy.simulators.card.form import Parameters, Span

ENVIRONMENT = {
    "PIPEROLL_CARD_SIM_PORT": "18000",
    "PIPEROLL_CARD_SIM_STATE": "/tmp/x",
    "PIPEROLL_CARD_API_KEY": "sk",
    "PIPEROLL_CARD_WEBHOOK_SECRET": "whsec",
}


def invalid(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        intents.CREATE.read(Parameters(text), "")
    return caught.value


def test_brackets_nest() -> None:
    fields = Parameters("a[b]=1&a[c][d]=2&e[0]=x&e[1]=y&f[]=p&f[]=q&g=").fields
    assert fields == {"a": {"b": "1", "c": {"d": "2"}}, "e": {"0": "x", "1": "y"}, "f": {"0": "p", "1": "q"}, "g": ""}


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=100", "parameter_missing", "currency"),
        ("amount=0&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=-5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=1.0&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=99999999999&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=100&currency=dollars", None, "currency"),
        ("amount=100&currency=us1", None, "currency"),
        ("amount=100&currency=usd&amont=1", "parameter_unknown", "amont"),
        ("amount=100&currency=usd&confirm=yes", None, "confirm"),
        ("amount=100&currency=usd&capture_method=manual", None, "capture_method"),
        ("amount=100&currency=usd&shipping[name]=x", None, "shipping"),
        ("amount=100&currency=usd&payment_method_types[0]=us_bank_account", None, "payment_method_types"),
        ("amount=100&currency=usd&metadata[k]=" + "x" * 501, None, "metadata[k]"),
    ],
)
def test_parameters_of_the_wrong_kind_are_refused_by_name(text: str, code: str | None, param: str) -> None:
    problem = invalid(text).refusal.problem
    assert (problem.code, problem.param) == (code, param)


def test_an_unknown_card_is_a_missing_resource() -> None:
    with pytest.raises(ApiError) as caught:
        intents.CONFIRM.read(Parameters("payment_method=pm_other"), "pi_1")
    assert caught.value.refusal.problem.code == "resource_missing"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("created=5", Span(5, 5)),
        ("created[gte]=5&created[lt]=9", Span(5, 8)),
        ("created[gt]=5&created[lte]=9", Span(6, 9)),
        ("", Span()),
    ],
)
def test_a_time_range_is_read_with_both_ends_included(text: str, span: Span) -> None:
    assert Parameters(text).span("created") == span


def test_an_unknown_end_of_a_range_is_refused() -> None:
    with pytest.raises(Invalid, match=r"created\[from\]"):
        Parameters("created[from]=5").span("created")


def test_a_url_that_is_no_call_is_not_found() -> None:
    assert routes.find("POST", "/v1/payment_intents/pi_1/confirm") == (intents.CONFIRM, "pi_1")
    for method, path in (("GET", "/v1/payment_intents/pi_1/confirm"), ("GET", "/v2/charges"), ("GET", "/v1/charges/")):
        with pytest.raises(ApiError) as caught:
            routes.find(method, path)
        assert caught.value.refusal.status == 404


def test_only_what_leads_to_an_object_is_expanded() -> None:
    expand.check(intents.RETRIEVE, ("latest_charge.balance_transaction",))
    expand.check(intents.LIST, ("data.latest_charge",))
    for call, path in ((intents.RETRIEVE, "amount"), (intents.LIST, "latest_charge"), (intents.LIST, "data")):
        with pytest.raises(Invalid):
            expand.check(call, (path,))


@pytest.mark.parametrize(
    ("call", "fault", "says"),
    [
        ("pay", "answer_lost", "unknown call"),
        ("create", "explode", "unknown fault"),
        ("create", "twice", "not for the call"),
        ("refund", "declined:lost_card", "not for the call"),
        ("confirm", "declined:sunspots", "unknown decline reason"),
        ("confirm", "slow", "needs seconds"),
        ("confirm", "slow:soon", "needs seconds"),
        ("confirm", "answer_lost:3", "takes nothing"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(call: str, fault: str, says: str) -> None:
    with pytest.raises(BadFault, match=says):
        faults.checked(FaultAsk(call, fault))


def test_a_decline_without_reason_is_generic() -> None:
    assert faults.checked(FaultAsk("confirm", "declined")).detail == "generic_decline"


def test_a_fault_matches_by_dotted_path_in_parameters_or_object() -> None:
    fault: Fault = faults.checked(FaultAsk("confirm", "hold:1", match={"metadata.payment_id": "pay_1", "amount": 5}))
    assert faults.matches(fault, {"amount": "5"}, {"metadata": {"payment_id": "pay_1"}})
    assert faults.matches(fault, {}, {"metadata": {"payment_id": "pay_1"}, "amount": 5})
    assert not faults.matches(fault, {"amount": "5"}, {"metadata": {"payment_id": "pay_2"}})
    assert not faults.matches(fault, {"amount": "5"}, {})


def test_a_signature_is_what_the_sdk_verifies() -> None:
    body = b'{"id": "evt_1", "object": "event"}'
    header = webhooks.signature("whsec_x", body, 1_000_000)
    assert stripe.WebhookSignature.verify_header(body.decode(), header, "whsec_x", tolerance=None)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), header, "whsec_y", tolerance=None)


def test_back_off_doubles_up_to_six_hours() -> None:
    assert [webhooks.back_off_s(attempts) for attempts in (1, 2, 3, 60)] == [1, 2, 4, 6 * 3_600]


def test_the_environment_says_where_and_the_command_line_what_it_costs() -> None:
    read = config.read(ENVIRONMENT, ["--fee-bps", "290", "--fee-fixed", "30"])
    assert (read.site, read.state, read.webhook_url) == ("http://127.0.0.1:18000", Path("/tmp/x"), None)
    assert read.settings == {"fee_bps": 290, "fee_fixed_minor": 30}


def test_what_is_missing_in_the_environment_is_named() -> None:
    with pytest.raises(ValueError, match="PIPEROLL_CARD_API_KEY"):
        config.read({**ENVIRONMENT, "PIPEROLL_CARD_API_KEY": ""}, [])
    with pytest.raises(ValueError, match="not a port"):
        config.read({**ENVIRONMENT, "PIPEROLL_CARD_SIM_PORT": "70000"}, [])
