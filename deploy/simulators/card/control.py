"""The simulator's own endpoints under `/_sim`: faults, settings, what was charged, the 3-D Secure page."""

import html
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
from msgspec import Struct

from deploy.simulators.card import balance, disputes, intents, payouts, refunds
from deploy.simulators.card.disputes import DisputeAsk
from deploy.simulators.card.faults import BadFault, FaultAsk, Faults
from deploy.simulators.card.journal import Journal
from deploy.simulators.card.lists import bytes_of
from deploy.simulators.card.objects import Charge, Decision, Dispute, Intent, Payout, Refund
from deploy.simulators.card.payouts import PAY_OUT, PayoutAsk
from deploy.simulators.card.settings import Current, Settings
from deploy.simulators.card.store import Store, T

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_INTENTS = """
SELECT data, (SELECT COUNT(*) FROM confirmation WHERE intent = object.id) FROM object WHERE kind = 'payment_intent'
"""
_CHARGES = "SELECT data FROM object WHERE kind = 'charge'"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>3-D Secure</title>
<h1>3-D Secure (simulator)</h1><p>{says}</p>
<form method="post"><button name="outcome" value="complete">Complete</button>
<button name="outcome" value="fail">Fail</button></form></html>"""
_DONE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>3-D Secure</title><p>{says}</p></html>'


class Shown(Struct, frozen=True):
    """An answer of these endpoints; `location` sends a browser on."""

    status: int
    body: bytes
    kind: str = JSON
    location: str | None = None


class EndAsk(Struct, frozen=True, forbid_unknown_fields=True):
    outcome: str


class Bad(Exception):
    """The request makes no sense; the text says why. Second argument: the status."""


class Control:
    def __init__(self, store: Store, journal: Journal, faults: Faults, current: Current) -> None:
        self._store, self._journal, self._faults, self._current = store, journal, faults, current

    async def handle(self, method: str, path: str, query: str, kind: str, body: bytes) -> Shown:
        try:
            shown = self._answer(method, path.removeprefix("/_sim/").split("/"), query, kind, body)
        except (BadFault, msgspec.ValidationError, msgspec.DecodeError) as error:
            shown = _json(400, {"error": str(error)})
        except Bad as error:
            text, status = error.args
            shown = _json(status, {"error": text})
        await self._store.committed()
        return shown

    def _answer(self, method: str, parts: list[str], query: str, kind: str, body: bytes) -> Shown:
        match method, parts:
            case "GET", ["health"]:
                return _json(200, {"status": "ok"})
            case "POST", ["faults"]:
                return _json(201, self._faults.add(msgspec.json.decode(body, type=FaultAsk)))
            case "GET", ["faults"]:
                return _json(200, {"data": self._faults.pending})
            case "DELETE", ["faults"]:
                return _json(200, {"cleared": self._faults.clear()})
            case "GET", ["settings"]:
                return _json(200, self._current.settings)
            case "POST", ["settings"]:
                return _json(200, self._change(msgspec.json.decode(body, type=dict[str, Any])))
            case "GET", ["charges"]:
                return _json(200, {"data": self._charges(_payment_id(query))})
            case "GET", ["intents"]:
                return _json(200, {"data": self._intents(_payment_id(query))})
            case "GET", ["webhooks"]:
                [(waiting,)] = self._store.rows("SELECT COUNT(*) FROM delivery")
                return _json(200, {"waiting": waiting})
            case "POST", ["disputes"]:
                return self._dispute(msgspec.json.decode(body, type=DisputeAsk))
            case "POST", ["disputes", dispute_id]:
                return self._end_dispute(self._load(Dispute, dispute_id), _outcome(body))
            case "POST", ["refunds", refund_id]:
                return self._end_refund(self._load(Refund, refund_id), _outcome(body))
            case "POST", ["payouts"]:
                return self._pay_out(msgspec.json.decode(body, type=PayoutAsk))
            case "POST", ["payouts", payout_id]:
                return self._end_payout(self._load(Payout, payout_id), _outcome(body))
            case "GET", ["authenticate", intent_id]:
                return self._page(self._load(Intent, intent_id))
            case "POST", ["authenticate", intent_id]:
                return self._authenticate(self._load(Intent, intent_id), kind, body)
        raise Bad(f"no such endpoint: {method} /_sim/{'/'.join(parts)}", 404)

    def _load(self, kind: type[T], object_id: str) -> T:
        found = self._store.load(kind, object_id)
        if found is None:
            raise Bad(f"no such {kind.__name__.lower()}: {object_id}", 404)
        return found

    def _rows(self, sql: str, payment_id: str | None) -> Any:
        if payment_id is None:
            return self._store.rows(f"{sql} ORDER BY seq")
        return self._store.rows(f"{sql} AND payment_id = ? ORDER BY seq", payment_id)

    def _charges(self, payment_id: str | None) -> list[dict[str, Any]]:
        charges = [msgspec.json.decode(bytes_of(row[0]), type=Charge) for row in self._rows(_CHARGES, payment_id)]
        return [
            {
                "id": charge.id,
                "intent": charge.payment_intent,
                "amount": charge.amount,
                "currency": charge.currency,
                "status": charge.status,
                "created": charge.created,
                "metadata": charge.metadata,
                "amount_refunded": charge.amount_refunded,
                "disputed": charge.disputed,
            }
            for charge in charges
        ]

    def _intents(self, payment_id: str | None) -> list[dict[str, Any]]:
        shown = []
        for data, confirmed in self._rows(_INTENTS, payment_id):
            intent = msgspec.json.decode(bytes_of(data), type=Intent)
            shown.append(
                {
                    "id": intent.id,
                    "amount": intent.amount,
                    "currency": intent.currency,
                    "status": intent.status,
                    "created": intent.created,
                    "metadata": intent.metadata,
                    "latest_charge": intent.latest_charge,
                    "confirmed": confirmed,
                }
            )
        return shown

    def _dispute(self, ask: DisputeAsk) -> Shown:
        if ask.reason not in disputes.REASONS:
            raise Bad(f"unknown reason {ask.reason!r}; reasons are {', '.join(sorted(disputes.REASONS))}", 400)
        charge = self._load(Charge, ask.charge)
        return self._record(disputes.opened_on_request(charge, ask, self._current.terms, self._journal.moment()))

    def _end_dispute(self, dispute: Dispute, outcome: str) -> Shown:
        moment = self._journal.moment()
        match outcome:
            case "won" | "lost":
                return self._record(disputes.close(dispute, outcome, moment))
            case "chargeback":
                charge = self._load(Charge, dispute.charge)
                return self._record(disputes.escalate(dispute, charge, self._current.terms, moment))
        raise _unknown(outcome, "won, lost, chargeback")

    def _end_refund(self, refund: Refund, outcome: str) -> Shown:
        match outcome:
            case "succeeded":
                return self._record(refunds.settle(refund))
            case "failed":
                charge, moment = self._load(Charge, refund.charge), self._journal.moment()
                return self._record(refunds.fail(refund, charge, "lost_or_stolen_card", moment))
        raise _unknown(outcome, "succeeded, failed")

    def _pay_out(self, ask: PayoutAsk) -> Shown:
        moment = self._journal.moment()
        available = balance.available(self._store, moment.now).get(ask.currency, 0)
        return self._record(payouts.create(ask, available, self._current.terms, moment, automatic=False))

    def _end_payout(self, payout: Payout, outcome: str) -> Shown:
        match outcome:
            case "paid":
                return self._record(payouts.settle(payout))
            case "failed":
                return self._record(payouts.fail(payout, self._journal.moment()))
        raise _unknown(outcome, "paid, failed")

    def _change(self, parts: dict[str, Any]) -> Settings:
        """Change settings; daily payouts that are turned on, or get another zone, begin at once."""
        before = self._current.settings
        after = self._current.change(parts)
        if (after.payout_every_day, after.payout_zone) != (before.payout_every_day, before.payout_zone):
            self._journal.drop_timers(PAY_OUT)
            if after.payout_every_day:
                self._journal.add_timer(0, PAY_OUT, b"")
        return after

    def _record(self, decision: Decision) -> Shown:
        return Shown(*self._journal.record(decision, None, None))

    def _page(self, intent: Intent) -> Shown:
        says = f"Payment {intent.id}: {intent.amount} {intent.currency}, {intent.status}"
        page = _PAGE if intent.status == "requires_action" else _DONE
        return Shown(200, page.format(says=html.escape(says)).encode(), HTML)

    def _authenticate(self, intent: Intent, kind: str, body: bytes) -> Shown:
        """Complete or fail; JSON is answered with JSON, a form sends the browser to the return URL."""
        if kind.startswith(JSON):
            outcome = _outcome(body)
        else:
            outcome = parse_qs(body.decode(errors="replace")).get("outcome", [""])[0]
        if outcome not in ("complete", "fail"):
            raise _unknown(outcome, "complete, fail")
        action = intent.next_action
        decision = intents.authenticate(intent, outcome == "complete", self._current.terms, self._journal.moment())
        status, answer = self._journal.record(decision, None, None)
        after = self._load(Intent, intent.id)
        if kind.startswith(JSON):
            done = decision.saved != ()
            return Shown(200, msgspec.json.encode(after)) if done else Shown(status, answer)
        return_url = action["redirect_to_url"]["return_url"] if action else None
        if return_url is None:
            return Shown(200, _DONE.format(says=f"{after.id}: {after.status}").encode(), HTML)
        return Shown(303, b"", HTML, _back(return_url, after))


def _back(return_url: str, intent: Intent) -> str:
    """Return where the processor sends the browser: the return URL and what became of the intent."""
    fields = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "succeeded" if intent.status == "succeeded" else "failed",
    }
    return f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(fields)}"


def _outcome(body: bytes) -> str:
    return msgspec.json.decode(body, type=EndAsk).outcome


def _unknown(outcome: str, known: str) -> Bad:
    return Bad(f"unknown outcome {outcome!r}; outcomes are {known}", 400)


def _payment_id(query: str) -> str | None:
    return parse_qs(query).get("payment_id", [None])[0]


def _json(status: int, value: object) -> Shown:
    return Shown(status, msgspec.json.encode(value))
