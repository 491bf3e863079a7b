"""The inbox: reads a service's topics, hands each shard its records in order, and trusts no committed offset."""

from collections.abc import Awaitable, Callable, Sequence

from shared.eventlog.ports import Record, Seeks, Stray
from shared.kafka.settings import KafkaSettings

OnShards = Callable[[Sequence[int]], Awaitable[None]]
OnBatch = Callable[[int, Sequence[Record | Stray]], Awaitable[None]]


class Inbox:
    """One group member. `on_assigned` / `on_revoked` take over and give up shards; `on_batch` returns when handled.

    A batch whose handler raises is offered again after a back-off, unless the shard was revoked.
    """

    def __init__(
        self,
        service: str,
        settings: str | KafkaSettings,
        seeks: Seeks,
        topics: Sequence[str],
        on_assigned: OnShards,
        on_revoked: OnShards,
        on_batch: OnBatch,
        instance: str,
    ) -> None: ...

    async def start(self) -> None:
        """Join the group; returns at once, shards come by `on_assigned`."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Hand over what was read, save the offsets, leave."""
        raise NotImplementedError

    def lag(self) -> dict[str, int]:
        """Return, per topic, how many records on our partitions are not yet handled."""
        raise NotImplementedError

    def healthy(self) -> bool:
        """Tell whether there is progress: False where lag stands above 0 and no position has moved for 60 s."""
        raise NotImplementedError

    def rewind(self, topic: str, shard: int, offset: int = 0) -> None:
        """Read a partition again from an earlier offset; repeats are skipped by the cursors."""
        raise NotImplementedError
