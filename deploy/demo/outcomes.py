"""What the gateway says of each household in the end, held against the model."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.acts import Pay
from deploy.demo.model import Member, Model
from deploy.demo.player import Player
from deploy.demo.scene import Scene, Unexpected

AT_ONCE = 16


@dataclass
class Outcomes:
    """What was found. `wrong` lists what differs from the model, by what it is about."""

    payments: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: {"balances": [], "payments": [], "cases": []})

    def hold(self, about: str, player: Player, what: str, got: object, wanted: object) -> None:
        """Note where `got` is not what was wanted."""
        if got != wanted:
            name = f"household {player.number} ({player.household.story})"
            self.wrong[about].append(f"{name}: {what} is {got}, not {wanted}")


CASES = {"refund": "refunded", "credit": "credited", "not_a_duplicate": "not_a_duplicate"}
HELD = {"settled": "held_charged", "cancelled": "held_cancelled"}


async def read_outcomes(scene: Scene, players: Sequence[Player], model: Model) -> Outcomes:
    """Ask for every household, at most 16 at once."""
    found = Outcomes()
    found.duplicates.update(dict.fromkeys(("retried", *HELD.values(), *CASES.values()), 0))
    room = asyncio.Semaphore(AT_ONCE)

    async def one(player: Player) -> None:
        async with room:
            found.duplicates["retried"] += player.retried
            member = model.members[player.number]
            await _balances(scene, player, member, found)
            await _payments(scene, player, member, found)
            await _cases(scene, player, member, found)

    await asyncio.gather(*(one(player) for player in players if player.account_id))
    return found


async def _get(scene: Scene, path: str) -> dict[str, Any]:
    reply = await scene.clerk.get(path)
    if reply.status != 200:
        raise Unexpected(f"GET {path}: {reply.status} {reply.body}")
    return reply.body


async def _balances(scene: Scene, player: Player, member: Member, found: Outcomes) -> None:
    account = await _get(scene, f"/v1/accounts/{player.account_id}")
    told = await _get(scene, f"/v1/accounts/{player.account_id}/balances")
    moved_to = scene.players[member.moved_to].account_id if member.moved_to is not None else None
    found.hold("balances", player, "owed", account["due_minor"], member.purse.due_minor)
    found.hold("balances", player, "credit", account["credit_minor"], member.purse.credit_minor)
    found.hold("balances", player, "moved to", account["moved_to"], moved_to)
    got = {one["code"]: one["balance_minor"] for one in told["balances"] if one["balance_minor"]}
    wanted = {code: minor for code, minor in member.purse.codes.items() if minor}
    found.hold("balances", player, "balances", dict(sorted(got.items())), dict(sorted(wanted.items())))


async def _payments(scene: Scene, player: Player, member: Member, found: Outcomes) -> None:
    told = await _get(scene, f"/v1/accounts/{player.account_id}/payments?limit=100")
    by_id = {one["payment_id"]: one for one in told["items"]}
    for name, posted in player.payments.items():
        wanted, got = member.payments[name], by_id.get(posted.id)
        if got is None:
            continue  # its POST failed, and so did its story
        found.payments[got["status"]] += 1
        if isinstance(wanted.act, Pay) and wanted.act.status == "held" and got["status"] in HELD:
            found.duplicates[HELD[got["status"]]] += 1
        found.hold("payments", player, f"status of {name}", got["status"], wanted.status)
        found.hold("payments", player, f"refunded of {name}", got["refunded"]["minor"], wanted.refunded_minor)
        found.hold("payments", player, f"disputed of {name}", got["disputed"], wanted.disputed)
        found.hold("payments", player, f"credit of {name}", got["unapplied_minor"], member.unapplied_minor(name))
    found.hold("payments", player, "number of payments", len(by_id), len(member.payments))


async def _cases(scene: Scene, player: Player, member: Member, found: Outcomes) -> None:
    told = await _get(scene, f"/v1/duplicate-cases?account_id={player.account_id}")
    found.duplicates.update(CASES[one["outcome"]] for one in told["items"] if one["outcome"] in CASES)
    got = Counter(one["outcome"] for one in told["items"])
    found.hold("cases", player, "cases", got, Counter(member.cases.values()))
    for name, refund_id in player.refunds.items():
        refund = await _get(scene, f"/v1/refunds/{refund_id}")
        found.hold("cases", player, f"refund {name}", refund["status"], member.refunds[name][1])
    for name, transfer_id in player.transfers.items():
        transfer = await _get(scene, f"/v1/transfers/{transfer_id}")
        found.hold("cases", player, f"transfer {name}", transfer["status"], member.transfers[name])
