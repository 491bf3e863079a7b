"""The acts in which staff, the bank or the card's bank have a part: cheques, cases, refunds, voids, disputes, moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from deploy.demo import acts
from deploy.demo.client import Reply
from deploy.demo.moments import MOMENTS
from deploy.demo.scene import Posted, Unexpected, money, until

if TYPE_CHECKING:
    from deploy.demo.player import Player


async def handle_cheque(player: Player, act: acts.Cheque | acts.ChequeReturned) -> None:
    """Hand in a line of the lockbox, or have the bank take a cheque back by its next statement."""
    scene = player.scene
    match act:
        case acts.Cheque():
            arrived = min(act.moment, *(moment for moment, _ in act.shown))
            body: dict[str, Any] = {
                "account_id": player.account_id,
                "amount": money(act.minor),
                "bank_account": scene.bank.account,
                "bank_reference": player.cheque(act.name),
                "received_on": scene.day(MOMENTS[arrived].day),
            }
            if act.bill is not None:
                body["invoice_id"] = player.invoices[act.bill]
            posted = player.payments[act.name] = Posted(scene.clerk, "/v1/receipts", body, player.key())
            posted.id = str((await posted.again()).body["payment_id"])
            await player.come_to(act.name, "settled")
        case acts.ChequeReturned():
            posted = player.payments[act.payment]
            minor, reference = posted.body["amount"]["minor"], posted.body["bank_reference"]
            scene.bank.cheque_returned(act.moment, posted.id, minor, reference)
        case _:
            assert_never(act)


async def decide_case(player: Player, act: acts.DecideCase) -> None:
    """Wait until the case is there and decide it; a refund that follows is waited for."""
    payment_id = player.payments[act.payment].id

    async def cases() -> Reply:
        return await player.member.get(f"/v1/duplicate-cases?account_id={player.account_id}")

    told = await until(cases, lambda body: bool(body["items"]))
    [case] = told["items"]
    if (case["payment_id"], case["status"]) != (payment_id, "open"):
        raise Unexpected(f"not the case of {payment_id}: {case}")
    path = f"/v1/duplicate-cases/{case['case_id']}"
    await player.requested(player.member, f"{path}/decision", {"decision": act.decision})
    if act.decision == "refund":
        decided = await until(lambda: player.member.get(path), lambda body: body["refund_id"] is not None)
        await _refund_becomes(player, decided["refund_id"], "completed", None)


async def refund(player: Player, act: acts.Refund | acts.AwaitRefund) -> None:
    """Ask money back, have it approved, and wait for its end; or wait for what becomes of an earlier one."""
    match act:
        case acts.Refund():
            client = player.member if act.by == "member" else player.scene.support
            body = {
                "account_id": player.account_id,
                "payment_id": player.payments[act.payment].id,
                "amount": money(act.minor),
                "reason": act.purpose,
                "release": act.release,
            }
            reply = await client.post("/v1/refunds", body, player.key(), wait_s=20)
            if reply.status not in (201, 202):
                raise Unexpected(f"{reply.status} {reply.body}")
            player.refunds[act.name] = refund_id = str(reply.body["refund_id"])
            await _approve(player, refund_id, act.approvals)
            await _refund_becomes(player, refund_id, act.status, act.reason)
        case acts.AwaitRefund():
            await _refund_becomes(player, player.refunds[act.refund], act.status, act.reason)
        case _:
            assert_never(act)


async def _approve(player: Player, refund_id: str, approvals: tuple[str, ...]) -> None:
    """Have finance say yes or no in turn; who has said yes already is refused."""
    if not approvals:
        return
    path = f"/v1/refunds/{refund_id}"
    shown = await until(lambda: player.scene.clerk.get(path), lambda body: body["status"] == "awaiting_approval")
    digest = shown["approval"]["digest"]
    given: set[str] = set()
    for approval in approvals:
        decision = "reject" if approval.startswith("no:") else "approve"
        name = approval.removeprefix("no:")
        refused = "approver_repeated" if name in given else None
        given.add(name)
        body = {"digest": digest, "decision": decision}
        await player.requested(player.scene.finance[name], f"{path}/approval", body, refused)


async def _refund_becomes(player: Player, refund_id: str, status: str, reason: str | None) -> None:
    told = await until(
        lambda: player.member.get(f"/v1/refunds/{refund_id}"),
        lambda body: body["status"] == status or body["status"] in ("refused", "bounced", "cancelled"),
    )
    if told["status"] != status or reason not in (None, told["reason"]):
        raise Unexpected(f"{refund_id} should be {status} ({reason}): {told}")


async def void(player: Player, act: acts.Void) -> None:
    """Take a bill back, or one policy of it."""
    body: dict[str, Any] = {"reason": "billed_in_error"}
    if act.policy is not None:
        month = player.scene.calendar.coverage_month(0)
        body = {
            "reason": "coverage_ended",
            "lines": [{"policy_id": player.policy(act.policy), "coverage_month": month}],
        }
    await player.requested(player.scene.clerk, f"/v1/invoices/{player.invoices[act.bill]}/void", body)


async def dispute(player: Player, act: acts.Dispute | acts.DisputeEnds) -> None:
    """Have the card holder's bank dispute a payment, or end what it disputes, until the gateway shows it."""
    payment_id = player.payments[act.payment].id
    match act:
        case acts.Dispute():
            player.disputes[act.payment] = await player.scene.processor.dispute(payment_id, inquiry=act.inquiry)
            is_disputed = True
        case acts.DisputeEnds():
            await player.scene.processor.end_dispute(player.disputes[act.payment], act.outcome)
            is_disputed = False
        case _:
            assert_never(act)
    await until(
        lambda: player.member.get(f"/v1/payments/{payment_id}"), lambda body: bool(body["disputed"]) is is_disputed
    )


async def between(player: Player, act: acts.Transfer | acts.Merge) -> None:
    """Pass credit on, or make the household part of another."""
    scene = player.scene
    match act:
        case acts.Transfer():
            to = scene.players[act.to].account_id
            body: dict[str, Any] = {"account_id": player.account_id, "to_account_id": to}
            body.update(amount=money(act.minor), reason="same_family")
            path, name, ends = "/v1/transfers", "transfer_id", ("completed", "returned", "refused")
            status: str = act.status
        case acts.Merge():
            to = scene.players[act.into].account_id
            body = {"account_id": player.account_id, "to_account_id": to}
            path, name, ends, status = "/v1/merges", "merge_id", ("completed", "ended", "refused"), "completed"
        case _:
            assert_never(act)
    reply = await scene.clerk.post(path, body, player.key(), wait_s=20)
    if reply.status not in (201, 202):
        raise Unexpected(f"{reply.status} {reply.body}")
    told = await until(lambda: scene.clerk.get(f"{path}/{reply.body[name]}"), lambda body: body["status"] in ends)
    if told["status"] != status:
        raise Unexpected(f"POST {path}: should be {status}: {told}")
    if isinstance(act, acts.Transfer):
        player.transfers[act.name] = str(reply.body[name])
