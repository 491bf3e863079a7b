"""Charges, refunds, disputes, and the books."""

from typing import Any

from deploy.simulators.card import disputes, lists, refunds
from deploy.simulators.card.desk import Call, Desk
from deploy.simulators.card.errors import ApiError, Invalid, invalid_request, missing
from deploy.simulators.card.form import NOTHING, Parameters, Span
from deploy.simulators.card.lists import ListAsk
from deploy.simulators.card.objects import Balance, Charge, Decision, Dispute, Page, names
from deploy.simulators.card.refunds import CreateRefund

REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
EVIDENCE = frozenset({"uncategorized_text"})


def _one(parameters: Parameters, object_id: str) -> str:
    parameters.only(frozenset({"expand"}))
    return object_id


def _retriever(name: str, kind: str, param: str) -> Call[str]:
    return Call(name, _one, lambda desk, object_id: lists.run_retrieve(desk, kind, object_id, param), kind)


def _lister(
    name: str, kind: str, url: str, columns: dict[str, str], unsupported: frozenset[str] = NOTHING
) -> Call[ListAsk]:
    """Make a list call whose parameters `columns` narrow it, each by the column it names."""
    takes = lists.PAGING | frozenset(columns)

    def read(parameters: Parameters, _: str) -> ListAsk:
        parameters.only(takes, unsupported)
        equals = {column: _given(parameters.text(param)) for param, column in columns.items()}
        return lists.read_list(parameters, kind, url, equals)

    return Call(name, read, lists.run_list, kind, is_list=True)


def _given(text: str | None) -> tuple[str, ...]:
    return () if text is None else (text,)


def _read_refund(parameters: Parameters, _: str) -> CreateRefund:
    parameters.only(
        frozenset({"amount", "charge", "expand", "metadata", "payment_intent", "reason"}),
        names("currency customer instructions_email origin refund_application_fee reverse_transfer"),
    )
    intent, charge = parameters.text("payment_intent"), parameters.text("charge")
    if intent is None and charge is None:
        text = "One of the following params should be provided for this request: payment_intent or charge."
        raise Invalid(text, "parameter_missing")
    return CreateRefund(
        payment_intent=intent,
        charge=charge,
        amount=parameters.integer("amount", 1, 1 << 40),
        reason=parameters.choice("reason", REFUND_REASONS),
        metadata=parameters.metadata(),
    )


def _refund(desk: Desk, ask: CreateRefund) -> Decision:
    return refunds.create(ask, _charge_to_refund(desk, ask), desk.terms, desk.moment)


def _charge_to_refund(desk: Desk, ask: CreateRefund) -> Charge:
    if ask.charge is not None:
        return desk.charge(ask.charge, "charge", 400)
    assert ask.payment_intent is not None
    intent = desk.intent(ask.payment_intent, "payment_intent", 400)
    if intent.latest_charge is None:
        text = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
        raise ApiError(invalid_request(text, param="payment_intent"))
    return desk.charge(intent.latest_charge)


def _cancel_refund(desk: Desk, refund_id: str) -> Decision:
    refund = desk.refund(refund_id)
    return refunds.cancel(refund, desk.charge(refund.charge), desk.moment)


def _read_dispute_update(parameters: Parameters, dispute_id: str) -> tuple[str, str | None]:
    parameters.only(frozenset({"evidence", "expand", "submit"}), frozenset({"metadata"}))
    return dispute_id, parameters.hash("evidence", EVIDENCE).get("uncategorized_text")


def _update_dispute(desk: Desk, ask: tuple[str, str | None]) -> Decision:
    dispute_id, evidence = ask
    dispute = _dispute(desk, dispute_id)
    if evidence == "winning_evidence":
        return disputes.close(dispute, "won", desk.moment)
    if evidence == "losing_evidence":
        return disputes.close(dispute, "lost", desk.moment)
    text = "The card simulator takes uncategorized_text winning_evidence or losing_evidence only."
    raise ApiError(invalid_request(text, param="evidence"))


def _dispute(desk: Desk, dispute_id: str) -> Dispute:
    dispute = desk.store.load(Dispute, dispute_id)
    if dispute is None:
        raise missing("dispute", dispute_id, "dispute")
    return dispute


def _close_dispute(desk: Desk, dispute_id: str) -> Decision:
    return disputes.close(_dispute(desk, dispute_id), "lost", desk.moment)


_SUMS = """
SELECT data ->> '$.currency', data ->> '$.available_on' <= ?, SUM(data ->> '$.net')
FROM object WHERE kind = 'balance_transaction' GROUP BY 1, 2
"""


def _balance(desk: Desk, _: str) -> Decision:
    sums: dict[int, list[dict[str, Any]]] = {0: [], 1: []}
    for currency, available, net in desk.store.rows(_SUMS, desk.moment.now):
        sums[1 if available else 0].append({"amount": net, "currency": currency, "source_types": {"card": net}})
    return Decision(answer=Balance(available=tuple(sums[1]), pending=tuple(sums[0])))


def _read_payouts(parameters: Parameters, _: str) -> Span:
    parameters.only(lists.PAGING | {"arrival_date", "destination", "status"})
    parameters.integer("limit", 1, 100)
    return parameters.span("created")


def _payouts(_: Desk, __: Span) -> Decision:
    return Decision(answer=Page(url="/v1/payouts", has_more=False, data=()))


CHARGE_RETRIEVE = _retriever("charge_retrieve", "charge", "charge")
CHARGE_LIST = _lister(
    "charge_list", "charge", "/v1/charges", {"payment_intent": "intent"}, frozenset({"customer", "transfer_group"})
)
REFUND = Call("refund", _read_refund, _refund, "refund")
REFUND_RETRIEVE = _retriever("refund_retrieve", "refund", "refund")
REFUND_LIST = _lister("refund_list", "refund", "/v1/refunds", {"payment_intent": "intent", "charge": "source"})
REFUND_CANCEL = Call("refund_cancel", _one, _cancel_refund, "refund")
DISPUTE_RETRIEVE = _retriever("dispute_retrieve", "dispute", "dispute")
DISPUTE_LIST = _lister("dispute_list", "dispute", "/v1/disputes", {"payment_intent": "intent", "charge": "source"})
DISPUTE_UPDATE = Call("dispute_update", _read_dispute_update, _update_dispute, "dispute")
DISPUTE_CLOSE = Call("dispute_close", _one, _close_dispute, "dispute")
LINE_RETRIEVE = _retriever("balance_transaction_retrieve", "balance_transaction", "id")
LINE_LIST = _lister(
    "balance_transaction_list",
    "balance_transaction",
    "/v1/balance_transactions",
    {"source": "source", "type": "type"},
    frozenset({"currency", "payout"}),
)
BALANCE = Call("balance", _one, _balance, "balance")
PAYOUT_LIST = Call("payout_list", _read_payouts, _payouts, "payout", is_list=True)
