"""Plays one household's story through HTTP, act by act, each until it has come to what it must."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, assert_never

from deploy.demo import acts, staff
from deploy.demo.client import Client, Reply
from deploy.demo.scene import WAIT_S, Posted, Scene, Unexpected, money, until

ENDED = ("refused", "settled", "declined", "cancelled", "reversed")


class Player:
    """One household. `latencies_ms` are of its payments that settled at once; `failure` is why its story stopped."""

    def __init__(self, scene: Scene, household: acts.Household) -> None:
        self.scene = scene
        self.household = household
        self.number = household.number
        self.account_id = ""
        self.invoices: dict[str, str] = {}
        self.payments: dict[str, Posted] = {}
        self.refunds: dict[str, str] = {}
        self.transfers: dict[str, str] = {}
        self.disputes: dict[str, str] = {}
        self.latencies_ms: list[float] = []
        self.retried = 0
        self.failure: str | None = None
        self._member: Client | None = None
        self._keys = 0

    @property
    def member(self) -> Client:
        """The household's own client."""
        assert self._member is not None
        return self._member

    def key(self) -> str:
        """Return a key that no other request has."""
        self._keys += 1
        return f"demo-{self.scene.seed}-{self.number}-{self._keys}"

    def policy(self, name: str) -> str:
        """Return the id of policy A or B."""
        return f"POL-{self.scene.seed}-{self.number}-{name}"

    def cheque(self, name: str) -> str:
        """Return the bank's name of a cheque."""
        return f"CHQ-{self.scene.seed}-{self.number}-{name}"

    async def made(self, client: Client, path: str, body: dict[str, Any], name: str) -> str:
        """Post until the thing stands and return its id."""
        posted = Posted(client, path, body, self.key())
        told = await until(posted.again, lambda body: body.get("status") != "accepted")
        if told["status"] == "refused":
            raise Unexpected(f"POST {path}: {told}")
        return str(told[name])

    async def requested(self, client: Client, path: str, body: dict[str, Any], refused: str | None = None) -> None:
        """Post a change and wait until it is done, or refused for the reason that was expected."""
        posted = Posted(client, path, body, self.key())
        told = await until(posted.again, lambda body: body.get("status") != "accepted")
        if (told["status"], told["reason"]) != (("done", None) if refused is None else ("refused", refused)):
            raise Unexpected(f"POST {path}: {told}")

    async def open(self) -> None:
        """Have the account opened."""
        one = self.household
        body = {"name": one.name, "email": one.email, "language": one.language}
        self.account_id = await self.made(self.scene.clerk, "/v1/accounts", body, "account_id")
        self._member = await self._client("member")

    async def _client(self, role: str) -> Client:
        return await asyncio.to_thread(self.scene.client, role, self.account_id)

    async def play(self, moment: int) -> None:
        """Play the acts of a moment in order; a failure ends the story."""
        due = [act for act in self.household.acts if act.moment == moment]
        for act in due:
            if self.failure is None:
                try:
                    await self._do(act, due)
                except Exception as error:
                    self.failure = f"household {self.number} ({self.household.story}), {act}: {error!r}"

    async def _do(self, act: acts.AnyAct, due: Sequence[acts.AnyAct]) -> None:
        match act:
            case acts.Bill():
                await self._bill(act)
            case acts.Pay():
                await self._pay(act, due)
            case acts.Await():
                await self.come_to(act.payment, act.status, act.reason)
            case acts.Repeat():
                await self._repeat(act)
            case acts.Decide():
                path = f"/v1/payments/{self.payments[act.payment].id}/decision"
                await self.requested(self.member, path, {"decision": act.decision})
            case acts.Cancel():
                await self.requested(self.member, f"/v1/payments/{self.payments[act.payment].id}/cancel", {})
            case acts.Authenticate():
                told = (await self.member.get(f"/v1/payments/{self.payments[act.payment].id}")).body
                await self.scene.processor.authenticate(told["next_action"]["url"], act.outcome)
            case acts.Cheque() | acts.ChequeReturned():
                await staff.handle_cheque(self, act)
            case acts.DecideCase():
                await staff.decide_case(self, act)
            case acts.Refund() | acts.AwaitRefund():
                await staff.refund(self, act)
            case acts.Void():
                await staff.void(self, act)
            case acts.Dispute() | acts.DisputeEnds():
                await staff.dispute(self, act)
            case acts.Transfer() | acts.Merge():
                await staff.between(self, act)
            case _:
                assert_never(act)

    async def _bill(self, act: acts.Bill) -> None:
        month = self.scene.calendar.coverage_month(act.month)
        lines = [
            {
                "policy_id": self.policy(line.policy),
                "coverage_month": month,
                "gross_minor": line.gross_minor,
                "aptc_minor": line.aptc_minor,
                "state_subsidy_minor": line.state_minor,
            }
            for line in act.lines
        ]
        due_date = self.scene.day(act.due_day)
        body = {"account_id": self.account_id, "due_date": due_date, "currency": "USD", "lines": lines}
        self.invoices[act.name] = await self.made(self.scene.clerk, "/v1/invoices", body, "invoice_id")

    async def _pay(self, act: acts.Pay, due: Sequence[acts.AnyAct]) -> None:
        if act.trouble is not None:
            await self.scene.processor.make_trouble(act.trouble, self.account_id)
        client = self.member if act.by == "member" else await self._client("assister")
        posted = self.payments[act.name] = Posted(client, "/v1/payments", self._payment(act), self.key())
        is_clicked_again = any(isinstance(one, acts.Pay) and one.first_click_of == act.name for one in due)
        wait_s = 0 if is_clicked_again or act.status in ("accepted", "unknown") else WAIT_S
        began = time.perf_counter()
        told = await client.post(posted.path, posted.body, posted.key, wait_s)
        if told.status not in (201, 202):
            raise Unexpected(f"{told.status} {told.body}")
        posted.id = str(told.body["payment_id"])
        if is_clicked_again or act.status == "accepted":
            return
        await self.come_to(act.name, act.status, act.reason, told)
        if act.first_click_of is not None:
            await self.come_to(act.first_click_of, "settled")
        elif act.status == "settled" and act.trouble is None:
            self.latencies_ms.append((time.perf_counter() - began) * 1000)

    def _payment(self, act: acts.Pay) -> dict[str, Any]:
        body: dict[str, Any] = {
            "account_id": self.account_id,
            "invoice_id": self.invoices[act.bill],
            "amount": money(act.minor),
            "method": {"type": "card", "token": act.card},
        }
        if act.policy is not None:
            body["policy_id"] = self.policy(act.policy)
        if act.accepts_credit:
            body["accept_credit"] = True
        return body

    async def come_to(self, payment: str, status: str, reason: str | None = None, first: Reply | None = None) -> None:
        """Wait until a payment has a status; one that has ended otherwise never will. `first` is the newest answer."""
        posted = self.payments[payment]
        known = [first] if first is not None else []

        async def ask() -> Reply:
            if known:
                return known.pop()
            if status in ENDED:
                return await posted.again()
            return await posted.client.get(f"/v1/payments/{posted.id}")

        told = await until(ask, lambda body: body["status"] == status or body["status"] in ENDED)
        if told["status"] != status or reason not in (None, told["reason"]):
            raise Unexpected(f"{payment} should be {status} ({reason}): {told}")

    async def _repeat(self, act: acts.Repeat) -> None:
        posted = self.payments[act.payment]
        same = await posted.client.post(posted.path, posted.body, posted.key)
        if not same.replayed or same.body["payment_id"] != posted.id:
            raise Unexpected(f"a repeat of {posted.id} was answered {same}")
        self.retried += 1
        other = {**posted.body, "amount": money(posted.body["amount"]["minor"] + 1)}
        refused = await posted.client.post(posted.path, other, posted.key)
        if refused.status != 422:
            raise Unexpected(f"another body under the key of {posted.id} was answered {refused}")
