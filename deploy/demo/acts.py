"""What a household, or somebody about it, does in the demo's month, and what must come of each act.

An act names bills, payments, refunds and transfers by words of its own story; only the player knows their ids.
"""

from typing import Literal

from msgspec import Struct

Language = Literal["en", "es"]
Status = Literal[
    "accepted", "refused", "held", "action_required", "unknown", "settled", "declined", "cancelled", "reversed"
]
Trouble = Literal["answer_lost", "answer_lost_and_deaf", "error_after_charge", "charged_twice"]


class Line(Struct, frozen=True):
    """One premium of a bill, in minor units; `policy` is A or B."""

    policy: str
    gross_minor: int
    aptc_minor: int
    state_minor: int

    @property
    def share_minor(self) -> int:
        """What the member owes for it."""
        return self.gross_minor - self.aptc_minor - self.state_minor


class Act(Struct, frozen=True, kw_only=True):
    """`moment` is the index of the moment at which it is done (see `moments`)."""

    moment: int


class Bill(Act, frozen=True, kw_only=True):
    """`month`: 0 is the first month of coverage; `due_day` counts from the demo's first day."""

    name: str
    month: int
    due_day: int
    lines: tuple[Line, ...]

    @property
    def share_minor(self) -> int:
        """What the member owes for all lines."""
        return sum(line.share_minor for line in self.lines)


class Pay(Act, frozen=True, kw_only=True):
    """A payment by card; it has `status` at once, as soon as it waits for nothing but time or a person.

    `trouble` is what the processor is made to do with it. `first_click_of`: it is the second click, sent before the
    payment of that name was answered.
    """

    name: str
    bill: str
    minor: int
    card: str
    status: Status = "settled"
    reason: str | None = None
    policy: str | None = None
    accepts_credit: bool = False
    by: Literal["member", "assister"] = "member"
    trouble: Trouble | None = None
    first_click_of: str | None = None


class Repeat(Act, frozen=True, kw_only=True):
    """The client lost the answer: the same POST again adds nothing, another body under its key is refused."""

    payment: str


class Await(Act, frozen=True, kw_only=True):
    """Time or the processor has done something with a payment: it must have this status by now."""

    payment: str
    status: Status
    reason: str | None = None


class Decide(Act, frozen=True, kw_only=True):
    """The member decides about a held payment, which then has `status`."""

    payment: str
    decision: Literal["charge", "cancel"]


class Cancel(Act, frozen=True, kw_only=True):
    """The member does not want the payment any more."""

    payment: str


class Authenticate(Act, frozen=True, kw_only=True):
    """The member answers the card's bank."""

    payment: str
    outcome: Literal["complete", "fail"]


class Cheque(Act, frozen=True, kw_only=True):
    """A cheque arrives at the lockbox; `shown` are the moments and amounts with which the bank's statements show it."""

    name: str
    bill: str | None
    minor: int
    shown: tuple[tuple[int, int], ...]


class ChequeReturned(Act, frozen=True, kw_only=True):
    """The bank takes a cheque back; its statement of that day says so."""

    payment: str


class DecideCase(Act, frozen=True, kw_only=True):
    """Somebody decides what becomes of the money that came twice by a payment."""

    payment: str
    decision: Literal["refund", "credit", "not_a_duplicate"]


class Refund(Act, frozen=True, kw_only=True):
    """Money is asked back; `approvals` are finance people in turn, with `no:` before who rejects."""

    name: str
    payment: str
    minor: int
    status: Literal["completed", "cancelled", "refused", "awaiting_approval"]
    reason: str | None = None
    purpose: Literal["requested_by_member", "overpaid", "billed_in_error"] = "requested_by_member"
    release: bool = False
    by: Literal["member", "support"] = "member"
    approvals: tuple[str, ...] = ()


class AwaitRefund(Act, frozen=True, kw_only=True):
    """Time has done something with a refund: it must have this status by now."""

    refund: str
    status: Literal["completed", "bounced", "cancelled"]
    reason: str | None = None


class Void(Act, frozen=True, kw_only=True):
    """A bill is taken back, or one policy of it."""

    bill: str
    policy: str | None = None


class Dispute(Act, frozen=True, kw_only=True):
    """The card holder's bank asks, or takes the money back at once."""

    payment: str
    inquiry: bool = False


class DisputeEnds(Act, frozen=True, kw_only=True):
    """`dropped` is of an inquiry."""

    payment: str
    outcome: Literal["won", "lost", "dropped"]


class Transfer(Act, frozen=True, kw_only=True):
    """Credit goes to the household of number `to`."""

    name: str
    to: int
    minor: int
    status: Literal["completed", "returned"] = "completed"


class Merge(Act, frozen=True, kw_only=True):
    """This household becomes part of the household of number `into`."""

    into: int


AnyAct = (
    Bill | Pay | Repeat | Await | Decide | Cancel | Authenticate | Cheque | ChequeReturned | DecideCase | Refund
    | AwaitRefund | Void | Dispute | DisputeEnds | Transfer | Merge
)  # fmt: skip


class Household(Struct, frozen=True, kw_only=True):
    """One household of the demo and its story, in the order in which it happens; `number` runs from 1."""

    number: int
    story: str
    name: str
    email: str
    language: Language
    acts: tuple[AnyAct, ...]
