"""`python -m services.billing.app`: a worker with billing's deciders, its effect runner and its schedule."""

from collections.abc import Sequence

from services.billing.config import BillingSettings
from services.billing.effects.index import PostgresIndex
from services.billing.effects.kinds import effects_over
from services.billing.effects.outbox import Outbox
from services.billing.effects.runner import EffectRunner
from services.billing.handlers import REGISTRY, processor_stream
from services.billing.rails.card import CardRail
from services.billing.schedule import Duty, Net, ReportCalendar, Schedule, Sweep
from shared.contracts.event import Actor
from shared.eventlog.held_shard import ShardContext, ShardPart
from shared.eventlog.ports import EventRow
from shared.eventlog.readable import Readable
from shared.ids import shard_of
from shared.worker import run


class RailHolder:
    """Keeps a shard's rail until all parts that use it have stopped: parts stop in reverse order."""

    def __init__(self, rail: CardRail) -> None:
        self._rail = rail

    async def start(self) -> None:
        """The rail connects when it is first used."""

    def committed(self, rows: Sequence[EventRow]) -> None:
        """A rail follows no log."""

    async def stop(self) -> None:
        """Close the rail's connections."""
        await self._rail.close()


def parts_of(settings: BillingSettings, context: ShardContext) -> Sequence[ShardPart]:
    """Return what runs beside the writer of one shard."""
    rail = CardRail(settings.card_api_key, settings.card_api_base, settings.card_return_url)
    processor = Outbox(context.writer, Actor("processor", rail.processor))
    schedule = Outbox(context.writer, Actor("system", "billing.schedule"))
    runner = EffectRunner(
        context.shard,
        context.store,
        PostgresIndex(context.dsn),
        effects_over(
            rail,
            processor,
            context.clock,
            settings.zone,
            settings.currency,
            Readable(context.store, context.shard),
        ),
        context.clock,
    )
    duties: list[Duty] = [
        Net(rail, schedule, settings.tenant, context.shard, context.shards, runner.has_ended),
    ]
    if context.shard == shard_of(settings.tenant, processor_stream(rail.processor), context.shards):
        calendar = ReportCalendar(
            schedule, context.store, settings.tenant, rail.processor, context.shard, settings.zone
        )
        duties += [calendar, Sweep(rail, settings.tenant)]
    return RailHolder(rail), runner, Schedule(context.clock, duties)


def main() -> None:
    """Run until SIGTERM."""
    settings = BillingSettings()  # type: ignore[call-arg]
    run("billing", REGISTRY, lambda context: parts_of(settings, context), settings)


if __name__ == "__main__":
    main()
