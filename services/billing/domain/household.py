"""A household's state: its account, bills, payments, money, and what its money is in the middle of."""

from collections.abc import Iterable
from typing import Any

import msgspec

from services.billing.domain.bills import Invoice
from services.billing.domain.funds import Fund
from services.billing.domain.payments import Cancelled, Declined, Payment, Settled, attempt_of
from services.billing.domain.things import Case, Chargeback, KeptDisputes, KeptReturns, Refund, Transfer


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one household's stream.

    `funds` are in the order in which the money came. `told_charges`: per open payment, the charges that the processor
    spoke of. `checks`: payments by the bank's name of their cheque. `merge_id`: of a merge that is not answered
    yet, or that moved it to `moved_to`.
    """

    account_id: str
    opened: bool = False
    invoices: dict[str, Invoice] = {}
    payments: dict[str, Payment] = {}
    funds: dict[str, Fund] = {}
    cases: dict[str, Case] = {}
    refunds: dict[str, Refund] = {}
    chargebacks: dict[str, Chargeback] = {}
    kept_disputes: KeptDisputes = {}
    kept_returns: KeptReturns = {}
    transfers: dict[str, Transfer] = {}
    checks: dict[str, str] = {}
    told_charges: dict[str, tuple[str, ...]] = {}
    merge_id: str | None = None
    moved_to: str | None = None

    @property
    def billed_minor(self) -> int:
        """All premiums of all bills: no balance of the household is larger."""
        return sum(invoice.gross_minor for invoice in self.invoices.values())

    @property
    def received_minor(self) -> int:
        """All money that ever came in: no sum of it is larger."""
        return sum(fund.settled_minor for fund in self.funds.values())

    def payment_of(self, attempt_id: str) -> tuple[str, Payment] | None:
        """Return the payment that an attempt belongs to, and its id."""
        for payment_id, payment in self.payments.items():
            if attempt_of(payment) == attempt_id:
                return payment_id, payment
        return None

    def fund_of_charge(self, charge_ref: str) -> tuple[str, Fund] | None:
        """Return the money that a charge brought, and its id."""
        for fund_id, fund in self.funds.items():
            if fund.way is not None and fund.way.charge_ref == charge_ref:
                return fund_id, fund
        return None

    def is_disputed(self, fund_id: str) -> bool:
        """Tell whether a card holder's bank is asking for this money."""
        return any(one.fund_id == fund_id and not one.ended for one in self.chargebacks.values())

    def spendable(self, currency: str) -> Iterable[tuple[str, Fund]]:
        """Yield the money that is plain credit, oldest first: in no open case and under no dispute."""
        for fund_id, fund in self.funds.items():
            free = fund.case_id is None and fund.currency == currency and fund.unapplied_minor > 0
            if free and not self.is_disputed(fund_id):
                yield fund_id, fund

    def credit_minor(self, currency: str) -> int:
        """Return all plain credit."""
        return sum(fund.unapplied_minor for _, fund in self.spendable(currency))

    def is_busy(self) -> bool:
        """Tell whether something is under way that a merge would tear apart."""
        return (
            self.merge_id is not None
            or any(not isinstance(payment, Settled | Declined | Cancelled) for payment in self.payments.values())
            or any(case.outcome is None for case in self.cases.values())
            or any(refund.is_unsent or refund.status == "sent" for refund in self.refunds.values())
            or any(transfer.under_way for transfer in self.transfers.values())
            or any(not one.ended for one in self.chargebacks.values())
        )


def initial(stream: str) -> Household:
    """Return a household of which nothing is known but its id."""
    return Household(account_id=stream)


def changed(state: Household, **changes: Any) -> Household:
    """Return the household with these fields changed."""
    return msgspec.structs.replace(state, **changes)


def with_invoice(state: Household, invoice_id: str, invoice: Invoice) -> Household:
    """Return the household with this bill as it is now."""
    return changed(state, invoices={**state.invoices, invoice_id: invoice})


def with_payment(state: Household, payment_id: str, payment: Payment) -> Household:
    """Return the household with this payment as it is now."""
    return changed(state, payments={**state.payments, payment_id: payment})


def with_fund(state: Household, fund_id: str, fund: Fund) -> Household:
    """Return the household with this money as it is now."""
    return changed(state, funds={**state.funds, fund_id: fund})
