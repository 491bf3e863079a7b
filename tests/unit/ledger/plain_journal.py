"""A tenant's journal as a person would keep it on paper: every answer is read off the list of all that was done."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Leg = tuple[str, str, int]
"""Side, `code/sub-key`, amount."""
DIRECT = {"1010", "1020", "1125", "1126", "1290", "2220", "3010", "4010", "5010", "5020", "5030", "5040"}
FLIP = {"D": "C", "C": "D"}


@dataclass
class PlainProposal:
    """`asks` is an entry (legs as they would be posted) or a change of an account."""

    asks: dict[str, Any]
    until: datetime
    approvers: list[str] = field(default_factory=list)
    state: str = "waiting"


@dataclass
class PlainJournal:
    """`entries` holds (id, what it reverses, legs), in order."""

    accounts: dict[str, str] = field(default_factory=dict)
    proposals: dict[str, PlainProposal] = field(default_factory=dict)
    entries: list[tuple[str, str | None, list[Leg]]] = field(default_factory=list)

    def balance(self, place: str) -> int:
        return sum(
            minor if side == "D" else -minor
            for _, _, legs in self.entries
            for side, account, minor in legs
            if account == place
        )

    def left(self, entry_id: str) -> dict[tuple[str, str], int] | None:
        """Return what of each side and account of a journal's entry was not taken back; None where there is none."""
        left: dict[tuple[str, str], int] = {}
        for name, reverses, legs in self.entries:
            for side, account, minor in legs:
                if name == entry_id and reverses is None:
                    left[side, account] = left.get((side, account), 0) + minor
                elif reverses == entry_id:
                    left[FLIP[side], account] -= minor
        return left or None

    def why_not_entry(self, legs: list[Leg], day: str, today: str, reverses: str | None) -> str | None:
        left = None if reverses is None else self.left(reverses)
        is_known = reverses is None or left is not None
        if any(account[:4] not in DIRECT for _, account, _ in legs):
            return "decided_elsewhere"
        states = [self.accounts.get(account, "unknown") for _, account, _ in legs] if is_known else []
        for state in ("unknown", "closed", "frozen"):
            if state in states:
                return f"ledger_account_{state}"
        if sum(minor if side == "D" else -minor for side, _, minor in legs) or (not legs and reverses is None):
            return "journal_unbalanced"
        if len(legs) > 20:
            return "journal_too_large"
        if day > today:
            return "effective_date_in_future"
        if reverses is None:
            return None
        if left is None:
            return "entry_unknown"
        asked: dict[tuple[str, str], int] = {}
        for side, account, minor in legs:
            asked[FLIP[side], account] = asked.get((FLIP[side], account), 0) + minor
        if not legs or any(minor > left.get(place, 0) for place, minor in asked.items()):
            return "reversal_exceeds_entry"
        return None

    def why_not_change(self, change: str, place: str, proposal_id: str) -> str | None:
        state = self.accounts.get(place)
        wrong = {
            ("open", "open"): "ledger_account_exists",
            ("open", "frozen"): "ledger_account_exists",
            ("open", "closed"): "ledger_account_exists",
            ("freeze", None): "ledger_account_unknown",
            ("unfreeze", None): "ledger_account_unknown",
            ("close", None): "ledger_account_unknown",
            ("freeze", "closed"): "ledger_account_closed",
            ("unfreeze", "closed"): "ledger_account_closed",
            ("close", "closed"): "ledger_account_closed",
            ("freeze", "frozen"): "ledger_account_frozen",
            ("unfreeze", "open"): "ledger_account_not_frozen",
        }.get((change, state))
        if wrong is None and any(
            other.asks.get("place") == place and other.state in ("waiting", "closing")
            for name, other in self.proposals.items()
            if name != proposal_id
        ):
            return "proposal_pending"
        return wrong

    def why_not(self, name: str, asks: dict[str, Any], today: str) -> str | None:
        if "place" in asks:
            return self.why_not_change(asks["change"], asks["place"], name)
        return self.why_not_entry(asks["legs"], asks["day"], today, asks["reverses"])

    def ask(self, name: str, asks: dict[str, Any], now: datetime) -> str:
        """Return `proposed`, or why not."""
        why_not = self.why_not(name, asks, now.date().isoformat())
        if why_not is None:
            self.proposals[name] = PlainProposal(asks, now + timedelta(days=7))
        return why_not or "proposed"

    def answer(self, name: str, person: str, decision: str, now: datetime, entry_id: str) -> str:
        """Return what one person's answer comes to."""
        proposal = self.proposals.get(name)
        if proposal is None:
            return "proposal_unknown"
        if proposal.state != "waiting" or now > proposal.until:
            return "proposal_ended"
        if decision == "reject":
            proposal.state = "ended"
            return "rejected"
        if person in proposal.approvers:
            return "already_approved"
        if not proposal.approvers:
            proposal.approvers.append(person)
            return "approved"
        why_not = self.why_not(name, proposal.asks, now.date().isoformat())
        proposal.state = "ended"
        if why_not is not None:
            return f"ended:{why_not}"
        return self._do(proposal, entry_id)

    def _do(self, proposal: PlainProposal, entry_id: str) -> str:
        asks = proposal.asks
        if "place" not in asks:
            self.entries.append((entry_id, asks["reverses"], asks["legs"]))
            return "posted"
        if asks["change"] == "close":
            proposal.state, asks["before"] = "closing", self.accounts[asks["place"]]
        self.accounts[asks["place"]] = "open" if asks["change"] in ("open", "unfreeze") else "frozen"
        return "changed"

    def end_closing(self, name: str) -> str:
        proposal = self.proposals[name]
        place = proposal.asks["place"]
        proposal.state = "ended"
        if self.balance(place) == 0:
            self.accounts[place] = "closed"
            return "closed"
        self.accounts[place] = proposal.asks["before"]
        return "ended:balance_not_zero"

    def lapse(self, name: str, now: datetime) -> str:
        proposal = self.proposals.get(name)
        if proposal is None or proposal.state != "waiting" or now <= proposal.until:
            return "nothing"
        proposal.state = "ended"
        return "lapsed"
