"""Charges, refunds, disputes, and the books."""

from deploy.simulators.card import balance, disputes, lists, refunds
from deploy.simulators.card.desk import Call, Desk
from deploy.simulators.card.errors import ApiError, Invalid, invalid_request
from deploy.simulators.card.form import NOTHING, Parameters
from deploy.simulators.card.lists import ListAsk
from deploy.simulators.card.objects import Balance, Charge, Decision, names
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
    charge = _charge_to_refund(desk, ask)
    return refunds.create(ask, charge, desk.terms, desk.moment, is_charged_back=desk.is_charged_back(charge.id))


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
    dispute = desk.dispute(dispute_id)
    match evidence:
        case "winning_evidence":
            return disputes.close(dispute, "won", desk.moment)
        case "losing_evidence":
            return disputes.close(dispute, "lost", desk.moment)
        case "escalate_inquiry_evidence":
            return disputes.escalate(dispute, desk.charge(dispute.charge), desk.terms, desk.moment)
        case str(text):
            return disputes.contest(dispute, text)
    raise ApiError(invalid_request("The card simulator takes uncategorized_text only.", param="evidence"))


def _close_dispute(desk: Desk, dispute_id: str) -> Decision:
    return disputes.close(desk.dispute(dispute_id), "lost", desk.moment)


def _balance(desk: Desk, _: str) -> Decision:
    now = desk.moment.now
    shown = [
        tuple({"amount": net, "currency": currency, "source_types": {"card": net}} for currency, net in sums.items())
        for sums in (balance.available(desk.store, now), balance.pending(desk.store, now))
    ]
    return Decision(answer=Balance(available=shown[0], pending=shown[1]))


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
PAYOUT_RETRIEVE = _retriever("payout_retrieve", "payout", "payout")
PAYOUT_LIST = _lister("payout_list", "payout", "/v1/payouts", {}, frozenset({"arrival_date", "destination", "status"}))
