"""Creates the topics of `shared/contracts/topics.py`, and refuses ones whose partitions are not the shards."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from shared.contracts.topics import ALL_TOPICS, Topic
from shared.errors import OwnFault, WorldFault
from shared.kafka.settings import KafkaSettings, settings_for

MAX_MESSAGE_BYTES = 1_048_588
_ALREADY_THERE = 36
_NO_ERROR = 0


class TopicMismatch(OwnFault):
    """A topic has another number of partitions than the system has shards."""


async def ensure_topics(
    bootstrap_or_settings: str | KafkaSettings, shards: int, topics: Sequence[Topic] = ALL_TOPICS
) -> None:
    """Create what is missing; on a second start this is one metadata request.

    An existing topic whose partitions are not `shards` raises TopicMismatch; a broker that refuses or is away raises
    WorldFault.
    """
    settings = settings_for(bootstrap_or_settings)
    admin = AIOKafkaAdminClient(**settings.client_options(), client_id="piperoll-topics", request_timeout_ms=15_000)
    try:
        await admin.start()
        missing = await _compared(admin, shards, topics)
        if missing:
            await _create(admin, settings, shards, missing)
            await _compared(admin, shards, topics)
    except (OwnFault, WorldFault):
        raise
    except Exception as error:
        raise WorldFault(f"topics at {settings.bootstrap} could not be made: {error!r}") from error
    finally:
        await admin.close()


def topic_configs(topic: Topic, settings: KafkaSettings) -> dict[str, str]:
    """Return the broker's configuration of one topic, every value that touches keeping written out."""
    configs = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": "-1",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(settings.min_insync_replicas),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "CreateTime",
        "compression.type": "producer",
    }
    if topic.compacted:
        del configs["retention.ms"]
    return configs


async def _compared(admin: AIOKafkaAdminClient, shards: int, topics: Sequence[Topic]) -> list[Topic]:
    """Return the topics that are not there; raise TopicMismatch for one that is there and wrong."""
    found = {
        entry["topic"]: len(entry["partitions"])
        for entry in await admin.describe_topics([topic.name for topic in topics])
        if entry["error_code"] == _NO_ERROR
    }
    for name, partitions in found.items():
        if partitions != shards:
            raise TopicMismatch(
                f"topic {name} has {partitions} partitions, but this system has {shards} shards, fixed for life; "
                f"use the broker it was made with, or another number of shards with a new state"
            )
    return [topic for topic in topics if topic.name not in found]


async def _create(admin: AIOKafkaAdminClient, settings: KafkaSettings, shards: int, missing: Sequence[Topic]) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=shards,
                replication_factor=settings.replication_factor,
                topic_configs=topic_configs(topic, settings),
            )
            for topic in missing
        ]
    )
    for name, code, *_ in answer.topic_errors:
        if code not in (_NO_ERROR, _ALREADY_THERE):
            raise WorldFault(f"topic {name} could not be created: {for_code(code).__name__} ({code})")
