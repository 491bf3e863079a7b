"""Follows finance's three topics and prints what each day came to, what is open, and the newest trial balance.

    python docs/examples/finance_consumer.py localhost:9092 [--once]

It needs aiokafka and nothing of Piperoll. Three rules hold for every topic of events:

- A record's value is an envelope in JSON; what happened is its `payload`, amounts are whole cents.
- Records of a partition are in order, but may be sent again: skip what is not above the newest header `position`.
- The newest counts: of a day's report, per account, sub-key and currency; of an exception, per id; of a trial balance,
  per day.
"""

import argparse
import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

DAILY = "finance.reconciliation.daily.v1"
EXCEPTIONS = "finance.reconciliation.exceptions.v1"
TRIAL_BALANCE = "finance.trial-balance.v1"
AT_ONCE = 1_000


class Picture:
    """The newest of everything."""

    def __init__(self, daily: str = DAILY, exceptions: str = EXCEPTIONS, trial_balance: str = TRIAL_BALANCE) -> None:
        self.topics = {daily: self._take_day, exceptions: self._take_exception, trial_balance: self._take_trial_balance}
        self.trial_balances: dict[str, list[dict[str, Any]]] = {}
        self.days: dict[tuple[str, ...], dict[str, Any]] = {}
        self.exceptions: dict[str, dict[str, Any]] = {}
        self._positions: dict[tuple[str, int], int] = {}

    def take(self, record: ConsumerRecord) -> None:
        """Take one record, unless it was seen before."""
        place = (record.topic, record.partition)
        position = int(dict(record.headers)["position"])
        if position > self._positions.get(place, 0):
            self._positions[place] = position
            self.topics[record.topic](json.loads(record.value)["payload"])

    def _take_day(self, day: dict[str, Any]) -> None:
        self.days[day["day"], day["account"], day["sub_key"], day["currency"]] = day

    def _take_exception(self, exception: dict[str, Any]) -> None:
        self.exceptions[exception["id"]] = exception

    def _take_trial_balance(self, told: dict[str, Any]) -> None:
        self.trial_balances[told["day"]] = told["lines"]

    def lines(self) -> list[str]:
        """Return the table, line by line; resolved exceptions are left out, and all trial balances but the newest."""
        table = [f"{'day':10}  {'account':16}  {'books':>14}  {'difference':>14}  {'unexplained':>14}"]
        for (day, account, sub_key, currency), one in sorted(self.days.items()):
            figures = (one["book_minor"], one["difference_minor"], one["unexplained_minor"])
            cells = "  ".join(f"{money(minor):>14}" for minor in figures)
            table.append(f"{day}  {account + ' ' + sub_key:16}  {cells} {currency}")
        for one in sorted(self.exceptions.values(), key=lambda one: (one["since"], one["id"])):
            if one["state"] != "resolved":
                why = f"{one['state']}: {one['reason']}" if one["reason"] else one["state"]
                table.append(
                    f"{one['since']}  {one['account'] + ' ' + one['sub_key']:16}  {one['kind']:12}"
                    f"  {money(one['minor']):>14} {one['currency']}  {one['references'][0]}  ({why})"
                )
        for day in sorted(self.trial_balances)[-1:]:
            for line in self.trial_balances[day]:
                both = f"{money(line['debit_minor']):>14}  {money(line['credit_minor']):>14}"
                table.append(f"{day}  trial balance {line['code']}  {both} {line['currency']}")
        return table


def money(minor: int) -> str:
    """Return cents as a person reads them; never by way of a float."""
    whole, cents = divmod(abs(minor), 100)
    return f"{'-' if minor < 0 else ''}{whole:,}.{cents:02}"


async def follow(bootstrap: str, picture: Picture, *, once: bool) -> None:
    """Read the topics from their beginning and print the table whenever it changes; with `once` stop at the end.

    There is no group and no committed offset: everything is read again at each start, and folded to the same picture.
    """
    consumer = AIOKafkaConsumer(
        *picture.topics, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest",
        enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while True:
            fetched = await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)
            for records in fetched.values():
                for record in records:
                    picture.take(record)
            caught_up = all([await consumer.position(partition) >= end for partition, end in ends.items()])
            if caught_up and (fetched or once):
                print("\n".join(picture.lines()), flush=True)
            if caught_up and once:
                return
    finally:
        await consumer.stop()


def main() -> None:
    """Read the arguments and follow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap")
    parser.add_argument("--once", action="store_true", help="stop at the end of the topics")
    parser.add_argument("--daily", default=DAILY)
    parser.add_argument("--exceptions", default=EXCEPTIONS)
    parser.add_argument("--trial-balance", default=TRIAL_BALANCE)
    given = parser.parse_args()
    asyncio.run(follow(given.bootstrap, Picture(given.daily, given.exceptions, given.trial_balance), once=given.once))


if __name__ == "__main__":
    main()
