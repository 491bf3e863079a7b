"""Facts of billing as its relay would send them: one shard's chain of bills, cheques and allocations of households."""

import os
from collections.abc import Sequence

from shared.contracts.billing import CheckPosted, InvoiceIssued, PaymentAllocated
from shared.contracts.envelope import Envelope, encode_event, seal
from shared.contracts.event import Actor, Allocation, Event, PremiumLine
from shared.eventlog.outgoing import Chains, outgoing
from shared.eventlog.ports import EventRow, Outgoing
from shared.ids import account_id, base32, event_id, root_of_record

TENANT = "demo"
MONTH = "2027-01"
DAY = "2027-01-04"
BILLED_MINOR = 90_000_000
PAID_MINOR = 1_250
_ACTOR = Actor("system", "billing")


def new_accounts(count: int) -> list[str]:
    """Return ids of households that nobody has heard of."""
    return [account_id(os.urandom(14)) for _ in range(count)]


class Facts:
    """The chain goes on from call to call; each allocation makes one entry of four postings in the ledger."""

    def __init__(self, accounts: Sequence[str], shard: int = 0, shards: int = 1) -> None:
        self.position = 0
        self._shard = shard
        self._shards = shards
        self._chains: Chains = {}
        self._versions: dict[str, int] = {}
        self._accounts = list(accounts)
        self._opened = 0
        self._next = 0

    def join(self, accounts: Sequence[str]) -> None:
        """Take more households in; the next openings and allocations are theirs."""
        self._next = len(self._accounts)
        self._accounts += accounts

    def openings(self, most: int = 1_000_000) -> list[EventRow]:
        """Return a bill and a cheque for (so many) households that have none, large enough for all payments later."""
        rows = []
        opened = self._accounts[self._opened : self._opened + most]
        for number, account in enumerate(opened, self._opened):
            line = PremiumLine(policy_id=f"POL-{number:06d}", coverage_month=MONTH, gross_minor=BILLED_MINOR)
            invoice = f"inv_{self._shard}_{number:022d}"
            bill = InvoiceIssued(
                account_id=account, invoice_id=invoice, number=f"2027-{number:06d}", due_date=DAY,
                currency="USD", lines=(line,), total_minor=BILLED_MINOR,
            )  # fmt: skip
            cheque = CheckPosted(
                account_id=account, payment_id=f"pay_{self._shard}_{number:022d}", reference=f"{number:013d}",
                invoice_id=invoice, bank_account="bank", bank_reference=f"LB{number:09d}", amount_minor=BILLED_MINOR,
                currency="USD", received_on=DAY,
            )  # fmt: skip
            rows += [self._row(account, bill), self._row(account, cheque)]
        self._opened += len(opened)
        return rows

    def allocations(self, count: int) -> list[EventRow]:
        """Return the next allocations, the households in turn."""
        rows = []
        for _ in range(count):
            number = self._next % len(self._accounts)
            self._next += 1
            account = self._accounts[number]
            part = Allocation(
                invoice_id=f"inv_{self._shard}_{number:022d}", policy_id=f"POL-{number:06d}", coverage_month=MONTH,
                amount_minor=PAID_MINOR,
            )  # fmt: skip
            paid = PaymentAllocated(
                account_id=account, payment_id=f"pay_{self._shard}_{base32(os.urandom(14))}", currency="USD",
                allocations=(part,), unapplied_minor=0,
            )  # fmt: skip
            rows.append(self._row(account, paid))
        return rows

    def _row(self, account: str, event: Event) -> EventRow:
        self.position += 1
        version = self._versions[account] = self._versions.get(account, 0) + 1
        identity = event_id(root_of_record("gateway", self._shard, self.position), 0)
        envelope = Envelope(
            tenant=TENANT,
            event_id=identity.hex(),
            type=event.TYPE,
            stream=account,
            version=version,
            recorded_at="2027-01-04T15:00:00.000000Z",
            effective_date=event.effective_on() or DAY,
            actor=_ACTOR,
            correlation=f"req_{self._shard}_{self.position:020d}",
            causation=identity.hex(),
            payload=encode_event(event),
        )
        return EventRow(self._shard, self.position, account, version, identity, event.TYPE, seal(envelope))

    def sent(self, rows: Sequence[EventRow]) -> list[Outgoing]:
        """Return the messages for rows that follow those of the last call, in a well-formed chain."""
        messages, self._chains = outgoing("billing", self._shard, self._shards, rows, self._chains)
        return messages
