"""The notifier's worker: `python -m services.notifier.app`."""

from collections.abc import Sequence
from functools import partial

from services.notifier.config import NotifierSettings
from services.notifier.effects import open_notices
from services.notifier.effects.outside import Outside
from services.notifier.effects.runner import NoticeRunner
from services.notifier.handlers import REGISTRY
from services.notifier.projections import PROJECTIONS
from shared.eventlog.held_shard import MakeParts, ShardContext, ShardPart
from shared.eventlog.projection_runner import ProjectionRunner
from shared.eventlog.readable import Readable
from shared.people.sealing import MasterKey
from shared.worker import run


def make_parts(settings: NotifierSettings) -> MakeParts:
    """Return what makes the parts that follow the log of a held shard."""
    outside = Outside(settings.people_dsn, MasterKey.read(settings.master_key_file), settings.server, settings.sender)

    def parts(context: ShardContext) -> Sequence[ShardPart]:
        runner = NoticeRunner(
            context.shard,
            context.writer,
            partial(open_notices.load, context.store, context.shard, context.dsn),
            partial(outside.open, context.clock),
            outside.close,
            Readable(context.store, context.shard),
        )
        return (ProjectionRunner(context, PROJECTIONS, gather_s=1.0), runner)

    return parts


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = NotifierSettings()  # type: ignore[call-arg]
    run("notifier", REGISTRY, make_parts(settings), settings)


if __name__ == "__main__":
    main()
