"""The relay's way to Kafka: an idempotent producer that outlives the broker and is replaced when it is broken."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.errors import WorldFault
from shared.eventlog.ports import Outgoing
from shared.kafka.settings import KafkaSettings, settings_for
from shared.telemetry.metrics import PRODUCER_REPLACED, PUBLISH_SECONDS, RELAY_SENT

_log = logging.getLogger(__name__)

REQUEST_TIMEOUT_MS = 10_000
START_TIMEOUT_S = 5.0
PUBLISH_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
MAX_IN_HAND = 10_000
MAX_BATCH_BYTES = 524_288
"""Half of what a topic takes; one request is under way at a time, so a larger one costs a backlog fewer of them."""


class KafkaPublisher:
    """A `Publisher` over one producer for all relays of a process.

    `publish` returns when all in-sync replicas have every message; any failure, also 30 s without an answer, raises
    WorldFault, and the producer with whatever it still holds is thrown away: the caller re-reads its place and sends
    the same bytes again. At most `MAX_IN_HAND` messages are held at once; more wait for room.
    """

    def __init__(self, settings: str | KafkaSettings, client_id: str) -> None:
        self._settings = settings_for(settings)
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self._in_hand = 0
        self._room = asyncio.Condition()
        self._retired: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; WorldFault where the broker is away (a later `publish` tries again)."""
        await self._ready()

    async def stop(self) -> None:
        """Close the producer within 5 s."""
        self._closed = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await _ended(producer)
        for task in tuple(self._retired):
            await task

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send in the given order; returns when all are acknowledged, else WorldFault (some may have arrived)."""
        if not messages:
            return
        producer = await self._ready()
        await self._take_room(len(messages))
        try:
            with PUBLISH_SECONDS.time():
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await _send_all(producer, messages)
        except (KafkaError, TimeoutError, AssertionError, OSError) as error:
            self._give_up(producer)
            raise WorldFault(f"{len(messages)} messages were not all acknowledged: {error!r}") from error
        finally:
            await self._free_room(len(messages))
        for topic, count in Counter(message.topic for message in messages).items():
            RELAY_SENT.labels(topic).inc(count)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._closed:
                raise WorldFault("the publisher is closed")
            if self._producer is None:
                self._producer = await self._started()
            return self._producer

    async def _started(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._settings.client_options(),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            transactional_id=None,
            compression_type=None,
            linger_ms=0,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=1_048_576,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=100,
            metadata_max_age_ms=30_000,
            connections_max_idle_ms=540_000,
            key_serializer=None,
            value_serializer=None,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _ended(producer)
            raise WorldFault(f"Kafka at {self._settings.bootstrap} cannot be reached: {error!r}") from error
        return producer

    def _give_up(self, producer: AIOKafkaProducer) -> None:
        """Throw the producer away unless another failure already did; what it holds must not be sent later."""
        if self._producer is producer:
            self._producer = None
            PRODUCER_REPLACED.inc()
            task = asyncio.get_running_loop().create_task(_ended(producer))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def _take_room(self, count: int) -> None:
        async with self._room:
            await self._room.wait_for(lambda: self._in_hand == 0 or self._in_hand + count <= MAX_IN_HAND)
            self._in_hand += count

    async def _free_room(self, count: int) -> None:
        async with self._room:
            self._in_hand -= count
            self._room.notify_all()


async def _send_all(producer: AIOKafkaProducer, messages: Sequence[Outgoing]) -> None:
    """Send each partition's messages in their order, as few batches of the producer's own size.

    A batch is eight times cheaper than its messages one by one; the producer numbers and repeats it just the same.
    """
    by_partition: dict[tuple[str, int], list[Outgoing]] = {}
    for message in messages:
        by_partition.setdefault((message.topic, message.partition), []).append(message)
    sent: list[asyncio.Future[object]] = []
    try:
        for place, ours in by_partition.items():
            await _send(producer, place, ours, sent)
    except BaseException:
        for future in sent:
            future.cancel()
        raise
    for answer in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer


async def _send(
    producer: AIOKafkaProducer, place: tuple[str, int], messages: Sequence[Outgoing], sent: list[asyncio.Future[object]]
) -> None:
    """Hand one partition's messages over; `sent` gets a future per batch."""
    topic, partition = place
    batch = producer.create_batch()
    for message in messages:
        if not _fits(batch, message):
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            _fits(batch, message)  # the first message of a batch always does
    batch.close()
    sent.append(await producer.send_batch(batch, topic, partition=partition))


def _fits(batch: BatchBuilder, message: Outgoing) -> bool:
    added = batch.append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers))
    return added is not None


async def _ended(producer: AIOKafkaProducer) -> None:
    """Close without waiting for what cannot be delivered any more.

    aiokafka's own `stop` waits for ever for batches that have no broker; so they are failed first, and the sender's
    done-callback is taken off, which raises for a producer without transactions.
    """
    sender = producer._sender
    if sender.sender_task is not None:
        sender.sender_task.remove_done_callback(sender._fail_all)
    _fail_what_is_held(producer._message_accumulator)
    with suppress(Exception):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await producer.stop()
    with suppress(Exception):
        await producer.client.close()


def _fail_what_is_held(accumulator: Any) -> None:
    """Answer every waiting batch with an error, and read each answer, so that none is reported as never retrieved."""
    error = accumulator._exception = KafkaError("the producer was given up")
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    accumulator._pending_batches.update(queued)  # a batch that is tried again takes itself out of here when it ends
    for batch in tuple(accumulator._pending_batches):
        batch.failure(error)
        for answer in (batch.future, batch._drain_waiter):
            if answer.done() and not answer.cancelled():
                answer.exception()
