"""What a household's money can be in the middle of: cases, refunds, chargebacks, transfers. Final ones stay, small."""

from typing import Literal

import msgspec

from shared.contracts.billing import CaseRule, CheckReturnReported, DisputeTraced, Source


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came twice. `outcome` None: nobody has decided."""

    rule: CaseRule
    fund_id: str
    payment_id: str
    reference: str
    twin_payment_id: str | None
    invoice_id: str | None
    amount_minor: int
    currency: str
    outcome: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money on its way back.

    waiting (for approvals) ─▶ open (to be sent) ─▶ sent ─▶ completed; cancelled before it was sent, bounced after.
    `stopping`: an open one that a chargeback overtakes.
    """

    payment_id: str
    fund_id: str
    reference: str
    amount_minor: int
    currency: str
    processor: str
    processor_ref: str
    digest: str
    approvals_needed: int
    approvers: tuple[str, ...] = ()
    status: Literal["waiting", "open", "stopping", "sent", "completed", "bounced", "cancelled"] = "open"
    refund_ref: str | None = None
    case_id: str | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether nothing has left yet, as far as we know."""
        return self.status in ("waiting", "open", "stopping")


class Chargeback(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute of one charge; `stage` only moves on."""

    payment_id: str
    fund_id: str
    stage: Literal["inquiry", "chargeback"]
    debited_minor: int = 0
    reinstated_minor: int = 0
    ended: bool = False


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Credit that left; `under_way` until the other household has answered."""

    to_account_id: str
    amount_minor: int
    currency: str
    sources: tuple[Source, ...]
    under_way: bool = True


KeptDisputes = dict[str, DisputeTraced]
"""Disputes of charges that this log does not know yet, by their own names."""

KeptReturns = dict[str, CheckReturnReported]
"""Returns of cheques that this log does not know yet, by the payment."""
