"""The demo's plan, from a seed alone: which household has which story, each told in every 53."""

from collections.abc import Callable

from msgspec import Struct

from deploy.demo.acts import AnyAct, Household
from deploy.demo.draw import Draw
from deploy.demo.stories import between, duplicates, giving_back, paying, taking_back, trouble

Story = Callable[[Draw, int], tuple[AnyAct, ...]]


class Turn(Struct, frozen=True):
    """A place of the rota. `needs_next`: the story is told only where the next household exists too."""

    name: str
    story: Story
    needs_next: bool = False


ROTA: tuple[Turn, ...] = (
    Turn("in full", paying.in_full),
    Turn("retried", paying.retried),
    Turn("second click charged", duplicates.charged_after_all),
    Turn("second click cancelled", duplicates.given_up),
    Turn("charged twice, refunded", duplicates.charged_twice("refund")),
    Turn("card and cheque, credit", duplicates.card_and_cheque("credit")),
    Turn("charged twice, meant so", duplicates.charged_twice("not_a_duplicate")),
    Turn("declined for funds", trouble.declined("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds")),
    Turn("too much", paying.too_much),
    Turn("answer lost", trouble.answer_lost),
    Turn("in parts", paying.in_parts),
    Turn("one of two policies", paying.one_of_two_policies),
    Turn("late", paying.late),
    Turn("by an assister", paying.by_an_assister),
    Turn("more than due", paying.more_than_due),
    Turn("expired card", trouble.declined("pm_card_chargeDeclinedExpiredCard", "expired_card")),
    Turn("wrong address", trouble.declined("pm_card_avsZipFail", "address_mismatch")),
    Turn("stolen card", trouble.declined("pm_card_visa_chargeDeclinedStolenCard", "stolen_card")),
    Turn("confirmed by the member", trouble.confirmed_by_member),
    Turn("not confirmed", trouble.not_confirmed),
    Turn("abandoned", trouble.abandoned),
    Turn("cancelled by the member", trouble.cancelled_by_member),
    Turn("unknown for an hour", trouble.unknown_for_an_hour),
    Turn("not tried", trouble.not_tried),
    Turn("second click never decided", duplicates.never_decided),
    Turn("charged twice, credit", duplicates.charged_twice("credit")),
    Turn("card and cheque, refunded", duplicates.card_and_cheque("refund")),
    Turn("card and cheque, meant so", duplicates.card_and_cheque("not_a_duplicate")),
    Turn("charged twice, unseen", duplicates.charged_twice_unseen),
    Turn("refund of credit", giving_back.of_credit),
    Turn("refund of a paid bill", giving_back.of_a_paid_bill),
    Turn("refund bounced", giving_back.bounced),
    Turn("large refund", giving_back.large),
    Turn("refund rejected", giving_back.rejected),
    Turn("bill void", giving_back.void_whole),
    Turn("one policy void", giving_back.void_line),
    Turn("inquiry", taking_back.inquiry),
    Turn("chargeback won", taking_back.won),
    Turn("chargeback lost", taking_back.lost),
    Turn("chargeback after a refund", taking_back.lost_after_refund),
    Turn("chargeback overtakes a refund", taking_back.overtakes_refund),
    Turn("cheque", taking_back.by_cheque),
    Turn("cheque shown late", taking_back.cheque_shown_late),
    Turn("cheque misread", taking_back.cheque_misread),
    Turn("cheque of nobody", taking_back.cheque_of_nobody),
    Turn("cheque returned", taking_back.cheque_returned),
    Turn("sends credit", between.sends_credit, needs_next=True),
    Turn("gets credit", between.gets_credit),
    Turn("moves owing", between.moves_owing, needs_next=True),
    Turn("takes in one that owes", between.takes_in_owing),
    Turn("sends credit to a closed one", between.sends_to_closed),
    Turn("moves with credit", between.moves_with_credit, needs_next=True),
    Turn("takes in one with credit", between.takes_in_credit),
)


def plan(households: int, seed: int) -> tuple[Household, ...]:
    """Return the households of a seed; the same arguments give the same plan."""
    return tuple(_household(number, households, seed) for number in range(1, households + 1))


def _household(number: int, households: int, seed: int) -> Household:
    turn = ROTA[(number - 1) % len(ROTA)]
    if turn.needs_next and number == households:
        turn = ROTA[0]
    draw = Draw(seed, number)
    return Household(
        number=number,
        story=turn.name,
        name=draw.name(),
        email=f"household-{seed}-{number}@example.org",
        language=draw.language(),
        acts=turn.story(draw, number),
    )
