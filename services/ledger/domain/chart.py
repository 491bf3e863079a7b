"""The chart of accounts. The exchange is an agent: premium is owed to carriers, it is not income."""

from typing import Literal, get_args

import msgspec

from shared.contracts.ledger import AccountCode

Side = Literal["D", "C"]
Share = Literal["household", "house"]


class Account(msgspec.Struct, frozen=True):
    """One account code.

    `sub_key` says what its sub-keys are. `share`: `household` where everything that a household's stream books on a
    sub-key is also undone there, so that its balance can be checked there; `house` balances are never read on the
    write path.
    """

    code: AccountCode
    name: str
    normal: Side
    sub_key: str
    may_go_negative: bool
    share: Share


def _account(code: AccountCode, name: str, normal: Side, sub_key: str, negative: str, share: Share) -> Account:
    return Account(code, name, normal, sub_key, negative == "may go negative", share)


NEVER, MAY = "never negative", "may go negative"

ACCOUNTS: tuple[Account, ...] = (
    _account("1010", "cash.premium_trust", "D", "bank account", MAY, "house"),
    _account("1020", "cash.operating", "D", "bank account", NEVER, "house"),
    _account("1110", "transit.ach_debits", "D", "file", NEVER, "household"),
    _account("1120", "transit.card", "D", "processor", NEVER, "household"),
    _account("1125", "processor.balance", "D", "processor", MAY, "house"),
    _account("1126", "transit.payout", "D", "payout", MAY, "house"),
    _account("1130", "transit.lockbox_other", "D", "source", NEVER, "household"),
    _account("1210", "receivable.member", "D", "account/policy/month", NEVER, "household"),
    _account("1220", "receivable.aptc", "D", "policy/month", MAY, "household"),
    _account("1230", "receivable.state_subsidy", "D", "policy/month", MAY, "household"),
    _account("1240", "receivable.fees", "D", "account", NEVER, "household"),
    _account("1250", "receivable.recovery", "D", "account", NEVER, "household"),
    _account("1260", "receivable.chargeback", "D", "chargeback", NEVER, "household"),
    _account("1290", "suspense.bank", "D", "statement line or entry", MAY, "house"),
    _account("2110", "member.credit", "C", "account", NEVER, "household"),
    _account("2120", "refund.payable", "C", "refund", NEVER, "household"),
    _account("2130", "receipts.unidentified", "C", "receipt", NEVER, "house"),
    _account("2140", "transit.transfer", "C", "transfer", MAY, "house"),
    _account("2210", "carrier.billed", "C", "policy/month", MAY, "household"),
    _account("2220", "carrier.payable", "C", "carrier", MAY, "house"),
    _account("2310", "payments.pending", "C", "payment", NEVER, "household"),
    _account("3010", "fund.balance", "C", "none", MAY, "house"),
    _account("4010", "income.admin_fee", "C", "carrier", NEVER, "house"),
    _account("4110", "income.late_fee", "C", "none", NEVER, "house"),
    _account("4120", "income.nsf_fee", "C", "none", NEVER, "house"),
    _account("5010", "expense.fee_bad_debt", "D", "none", NEVER, "house"),
    _account("5020", "expense.processing", "D", "processor", NEVER, "house"),
    _account("5030", "expense.chargeback_loss", "D", "processor", NEVER, "house"),
    _account("5040", "expense.chargeback_fee", "D", "processor", NEVER, "house"),
    _account("5050", "expense.small_balance", "D", "none", NEVER, "house"),
    _account("5060", "expense.discount", "D", "product", NEVER, "house"),
    _account("5070", "expense.hardship_waiver", "D", "programme", NEVER, "house"),
)

CHART: dict[AccountCode, Account] = {account.code: account for account in ACCOUNTS}
CODES: tuple[AccountCode, ...] = get_args(AccountCode)
LIMITED: dict[AccountCode, Side] = {
    account.code: account.normal for account in ACCOUNTS if account.share == "household" and not account.may_go_negative
}
_SHARED_SUB_KEYS = frozenset({"bank account", "file", "processor", "source", "none", "product", "programme"})
HOUSE_WIDE: frozenset[AccountCode] = frozenset(
    account.code for account in ACCOUNTS if account.sub_key in _SHARED_SUB_KEYS
)
"""Codes whose few sub-keys all households book on; a sub-key of any other code is of one household, or of two."""
