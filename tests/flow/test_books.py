"""The books of one payment as finance reads them: over the ledger's HTTP, and on the compacted topic."""

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer

from deploy.demo.client import Client
from deploy.local.identity import token
from deploy.local.stack import Stack
from shared.contracts.topics import LEDGER_BALANCES
from tests.flow.conftest import Portal


def auditor(portal: Portal) -> Client:
    return Client(portal.session, portal.stack.ledger_url, token(portal.stack.issuer, "auditor", ()))


async def paid(portal: Portal) -> tuple[str, dict[str, Any]]:
    """Return a household and its settled payment."""
    account_id, _ = await portal.household()
    invoice_id, due = await portal.bill(account_id)
    member = portal.client("member", account_id)
    accepted = await portal.pay(member, account_id, invoice_id, due)
    return account_id, await portal.final(member, accepted.body["payment_id"])


async def test_balances_entries_and_statement_of_a_payment_agree(portal: Portal) -> None:
    account_id, payment = await paid(portal)
    books = auditor(portal)
    newest = (await books.get(f"/v1/entries?account_id={account_id}&limit=1")).body["items"][0]["position"]
    query = f"payment_id={payment['payment_id']}&min_position={newest}"
    entries = (await books.get(f"/v1/entries?{query}")).body["items"]
    balances = (await books.get(f"/v1/balances?account_id={account_id}&min_position={newest}")).body["items"]
    lines = (await books.get(f"/v1/statements?account_id={account_id}")).body["items"]
    trial = (await books.get("/v1/trial-balance?as_of=2199-12-31")).body

    assert [entry["rule"] for entry in entries] == ["PR-06", "PR-05", "PR-04"]
    assert lines[-1]["owed_minor"] == 0
    last = {(line["code"], line["sub_key"]): line["balance_minor"] for line in lines}
    assert last == {(one["code"], one["sub_key"]): one["balance_minor"] for one in balances}
    assert sum(line["debit_minor"] for line in trial["lines"]) == sum(line["credit_minor"] for line in trial["lines"])


async def test_the_newest_record_of_each_key_is_the_balance(portal: Portal) -> None:
    account_id, _ = await paid(portal)
    books = auditor(portal)
    newest = (await books.get(f"/v1/entries?account_id={account_id}&limit=1")).body["items"][0]["position"]
    reply = await books.get(f"/v1/balances?account_id={account_id}&min_position={newest}")
    wanted = {
        f"{account_id}/{one['code']}/{one['sub_key']}/{one['currency']}": (one["debit_minor"], one["credit_minor"])
        for one in reply.body["items"]
    }
    async with asyncio.timeout(30):
        while await stated(portal.stack, account_id) != wanted:
            await asyncio.sleep(0.2)


async def stated(stack: Stack, account_id: str) -> dict[str, tuple[int, int]]:
    """Return what a reader of the topic keeps of a household: of each key the record with the highest position."""
    consumer = AIOKafkaConsumer(
        LEDGER_BALANCES, bootstrap_servers=stack.bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    kept: dict[str, dict[str, Any]] = {}
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while not all([await consumer.position(partition) >= end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    told, key = json.loads(record.value), record.key.decode()
                    if told["account_id"] == account_id and told["position"] >= kept.get(key, told)["position"]:
                        kept[key] = told
    finally:
        await consumer.stop()
    return {key: (told["debit_minor"], told["credit_minor"]) for key, told in kept.items()}
