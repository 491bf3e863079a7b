"""The demo's bank: what its statements show on which day. Nobody else knows it before the statement comes."""

from collections import defaultdict
from typing import Any

from deploy.demo.acts import Cheque
from deploy.demo.processor import Payout

FEE_MINOR = 2_500
MOST_LINES = 200


class Bank:
    """One account at one bank; `closing_minor` is what its last statement said."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.closing_minor = 0
        self._lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._count = 0

    def cheque(self, cheque: Cheque, reference: str) -> None:
        """Have statements show a cheque when its story says so."""
        for moment, minor in cheque.shown:
            self._add(moment, "lockbox", minor, reference)

    def cheque_returned(self, moment: int, payment_id: str, minor: int, reference: str) -> None:
        """Have the statement of this moment take a cheque back."""
        self._add(moment, "check_returned", -minor, reference, payment_id=payment_id)

    def payout(self, moment: int, payout: Payout) -> None:
        """Have a payout arrive."""
        self._add(moment, "payout", payout.minor, payout.ref)

    def fee(self, moment: int) -> None:
        """Take the bank's own fee."""
        self._add(moment, "fee", -FEE_MINOR, "account-fee")

    def _add(self, moment: int, kind: str, minor: int, reference: str, **more: str) -> None:
        self._count += 1
        line = {"line_ref": f"{self.account}-{self._count}", "kind": kind, "amount_minor": minor}
        self._lines[moment].append({**line, "reference": reference, **more})

    def statement(self, moments: range, day: str) -> list[dict[str, Any]]:
        """Return the statement of a day, in pages, with the lines of its moments; each opens with the last closing."""
        lines = [line for moment in moments for line in self._lines.pop(moment, [])]
        return [self._page(lines[at : at + MOST_LINES], day) for at in range(0, max(1, len(lines)), MOST_LINES)]

    def _page(self, lines: list[dict[str, Any]], day: str) -> dict[str, Any]:
        opening = self.closing_minor
        self.closing_minor += sum(line["amount_minor"] for line in lines)
        return {
            "bank_account": self.account,
            "day": day,
            "currency": "USD",
            "opening_minor": opening,
            "closing_minor": self.closing_minor,
            "lines": lines,
        }
