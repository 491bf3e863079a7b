"""What card holders' banks take back: each dispute's story told once, however often and late it is heard."""

from services.billing.domain.draft import Draft
from services.billing.domain.household import Household
from services.billing.domain.money import give_surplus_its_use, make_room, settle_up
from services.billing.domain.payments import Cancelled, Declined, Held, Settled, attempt_of, reference_of
from services.billing.domain.refunds import cancelled
from services.billing.domain.things import Chargeback
from shared.contracts.billing import (
    AttemptNudged,
    ChargebackDebited,
    ChargebackDropped,
    ChargebackLost,
    ChargebackOpened,
    ChargebackWon,
    DisputeKept,
    DisputeTraced,
    RefundStopRequested,
)
from shared.contracts.event import Event
from shared.decider import Context

LOST = "lost"
ENDS = ("won", LOST, "warning_closed", "prevented")
INQUIRY = "warning_"


def note_dispute(traced: DisputeTraced, state: Household, context: Context) -> tuple[Event, ...]:
    """Add what the log lacks of a dispute; one of a charge that is not known yet is kept, and the attempt asked."""
    draft = Draft(state, context)
    if state.fund_of_charge(traced.charge_ref) is not None:
        follow_dispute(draft, traced)
        settle_up(draft)
        return draft.events
    payment = state.payments.get(traced.payment_id)
    if payment is None:
        raise LookupError(f"{state.account_id} has no payment {traced.payment_id} that {traced.object_id} disputes")
    known = state.kept_disputes.get(traced.object_id)
    if known is not None and (known == traced or _progress(known) > _progress(traced)):
        return ()
    draft.add(DisputeKept(account_id=state.account_id, traced=traced))
    if not isinstance(payment, Held):
        draft.add(
            AttemptNudged(
                account_id=state.account_id,
                payment_id=traced.payment_id,
                attempt_id=attempt_of(payment),
                object_id=_what_to_read(traced, payment),
            )
        )
    return draft.events


def _progress(traced: DisputeTraced) -> tuple[bool, bool]:
    """Return how far a dispute had come when it was read; it never goes back."""
    return (traced.status in ENDS, traced.debited_minor > 0)


def _what_to_read(traced: DisputeTraced, payment: object) -> str:
    has_ended = isinstance(payment, Settled | Declined | Cancelled)
    return traced.charge_ref if has_ended else traced.processor_ref


def follow_dispute(draft: Draft, traced: DisputeTraced) -> None:
    """Add what the log lacks of a dispute of a charge that it knows."""
    chargeback_id = traced.object_id
    if chargeback_id not in draft.state.chargebacks:
        draft.add(_opened(draft, traced))
    known = draft.state.chargebacks[chargeback_id]
    if traced.debited_minor > 0 and known.debited_minor == 0 and traced.debited_on is not None:
        draft.add(
            ChargebackDebited(
                account_id=draft.state.account_id,
                chargeback_id=chargeback_id,
                payment_id=known.payment_id,
                processor=traced.processor,
                processor_ref=traced.processor_ref,
                amount_minor=traced.debited_minor,
                fee_minor=traced.fee_minor,
                currency=traced.currency,
                debited_on=traced.debited_on,
            )
        )
        _stop_refunds(draft, chargeback_id, known.fund_id)
    _end(draft, traced, draft.state.chargebacks[chargeback_id])


def _opened(draft: Draft, traced: DisputeTraced) -> ChargebackOpened:
    found = draft.state.fund_of_charge(traced.charge_ref)
    assert found is not None
    fund_id, fund = found
    is_inquiry = traced.status.startswith(INQUIRY) and traced.debited_minor == 0
    return ChargebackOpened(
        account_id=draft.state.account_id,
        chargeback_id=traced.object_id,
        payment_id=fund.payment_id,
        fund_id=fund_id,
        reference=reference_of(draft.state.payments[fund.payment_id]),
        processor=traced.processor,
        processor_ref=traced.processor_ref,
        charge_ref=traced.charge_ref,
        stage="inquiry" if is_inquiry else "chargeback",
        reason=traced.reason,
        amount_minor=traced.amount_minor,
        currency=traced.currency,
        due_by=traced.due_by,
    )


def _stop_refunds(draft: Draft, chargeback_id: str, fund_id: str) -> None:
    """Give back to the card's owner once only: what has not left shall not leave."""
    for refund_id, refund in draft.state.refunds.items():
        if refund.fund_id != fund_id:
            continue
        if refund.status == "waiting":
            draft.add(cancelled(refund_id, refund, draft.state, "chargeback"))
        elif refund.status == "open":
            draft.add(
                RefundStopRequested(
                    account_id=draft.state.account_id,
                    refund_id=refund_id,
                    payment_id=refund.payment_id,
                    chargeback_id=chargeback_id,
                )
            )


def _end(draft: Draft, traced: DisputeTraced, known: Chargeback) -> None:
    if known.ended:
        return
    reference = reference_of(draft.state.payments[known.payment_id])
    if traced.reinstated_minor > 0 and traced.reinstated_on is not None and known.debited_minor > 0:
        draft.add(
            ChargebackWon(
                account_id=draft.state.account_id,
                chargeback_id=traced.object_id,
                payment_id=known.payment_id,
                reference=reference,
                processor=traced.processor,
                processor_ref=traced.processor_ref,
                amount_minor=traced.reinstated_minor,
                currency=traced.currency,
                reinstated_on=traced.reinstated_on,
            )
        )
    elif traced.status == LOST and known.debited_minor > 0:
        _lost(draft, traced, known, reference)
    elif known.debited_minor == 0 and traced.status in ENDS:
        draft.add(
            ChargebackDropped(
                account_id=draft.state.account_id, chargeback_id=traced.object_id, payment_id=known.payment_id
            )
        )


def _lost(draft: Draft, traced: DisputeTraced, known: Chargeback, reference: str) -> None:
    minor = known.debited_minor
    there = make_room(draft, known.fund_id, minor, "chargeback", traced.object_id)
    draft.add(
        ChargebackLost(
            account_id=draft.state.account_id,
            chargeback_id=traced.object_id,
            payment_id=known.payment_id,
            fund_id=known.fund_id,
            reference=reference,
            processor=traced.processor,
            amount_minor=minor,
            from_credit_minor=there,
            recovery_minor=minor - there,
            currency=traced.currency,
        )
    )
    give_surplus_its_use(draft)
