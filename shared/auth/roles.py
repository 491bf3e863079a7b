"""Which role may call which operation, and on which accounts."""

from enum import StrEnum
from typing import Literal

import msgspec


class Role(StrEnum):
    """Who a token speaks for; every token carries exactly one."""

    MEMBER = "member"
    ASSISTER = "assister"
    SUPPORT = "support"
    FINANCE = "finance"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Permission(StrEnum):
    """What an operation needs; the gateway's operations each name one."""

    READ = "read"
    PAY = "pay"
    OPEN_ACCOUNT = "open_account"
    BILL = "bill"
    REFUND = "refund"
    APPROVE = "approve"
    KEEP_BOOKS = "keep_books"
    READ_BOOKS = "read_books"


_STAFF = frozenset({Role.SUPPORT, Role.FINANCE, Role.OPERATOR})
_ALLOWED: dict[Permission, frozenset[Role]] = {
    Permission.READ: frozenset(Role),
    Permission.PAY: _STAFF | {Role.MEMBER, Role.ASSISTER},
    Permission.OPEN_ACCOUNT: _STAFF,
    Permission.BILL: _STAFF,
    Permission.REFUND: frozenset({Role.MEMBER, Role.SUPPORT, Role.FINANCE}),
    Permission.APPROVE: frozenset({Role.FINANCE}),
    Permission.KEEP_BOOKS: frozenset({Role.FINANCE, Role.OPERATOR}),
    Permission.READ_BOOKS: frozenset({Role.FINANCE, Role.AUDITOR, Role.OPERATOR}),
}
_ONLY_NAMED_ACCOUNTS = frozenset({Role.MEMBER, Role.ASSISTER})


class Principal(msgspec.Struct, frozen=True):
    """Who calls. `id` is our own, made from issuer and subject; `accounts` are those that the token names."""

    id: str
    tenant: str
    role: Role
    accounts: frozenset[str]

    @property
    def is_staff(self) -> bool:
        """Whether the caller works here (auditors too) and is not tied to the accounts of its token."""
        return self.role not in _ONLY_NAMED_ACCOUNTS

    @property
    def actor_kind(self) -> Literal["member", "staff", "assister"]:
        """How events name this kind of caller."""
        match self.role:
            case Role.MEMBER:
                return "member"
            case Role.ASSISTER:
                return "assister"
            case Role.SUPPORT | Role.FINANCE | Role.AUDITOR | Role.OPERATOR:
                return "staff"


def reads_notes(role: Role) -> bool:
    """Tell whether the role may read what finance has written about an exception."""
    return role in (Role.FINANCE, Role.AUDITOR)


def allows(role: Role, permission: Permission) -> bool:
    """Tell whether the role has the permission on any account at all."""
    return role in _ALLOWED[permission]


def reaches(principal: Principal, account_id: str | None) -> bool:
    """Tell whether the caller may know of what is of this account, or of none, in its own tenant."""
    return principal.is_staff or account_id in principal.accounts
