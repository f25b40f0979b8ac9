"""Sends records of one store to an inbound topic: by murmur2, acknowledged by all, in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.payloads import Payload
from streams.provision import ProvisionError
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.partitions import partition_of
from topics.registry import INPUT_BYTES, Topic

IN_FLIGHT = 5_000
"""Records that are on their way at most: bounds memory, and how much is unknown when the process dies."""
LINGER_MS = 5
_BATCH_BYTES = 256 * 1024


class PublishError(RuntimeError):
    """Records could not be published: the message says which, why, and what to do."""


class Published(msgspec.Struct):
    """What was sent: offsets are Kafka's, of the one partition that the store lives on."""

    topic: str
    store: str
    partition: int
    records: int = 0
    bytes: int = 0
    warnings: int = 0
    first_offset: int | None = None
    last_offset: int | None = None


async def publish(
    settings: Settings,
    topic: Topic,
    store_id: str,
    payloads: Iterable[Payload],
    progress: Callable[[Published], None],
) -> Published:
    """Send the payloads in order and wait until all are acknowledged; PublishError otherwise.

    `progress` is called as records are acknowledged.
    """
    require_kafka(settings)
    name, key = topic.full_name(settings.worker.prefix), store_id.encode()
    partitions = (await partition_counts([name], settings.kafka))[name]
    if not partitions:
        raise ProvisionError(f"Topic {name} is not there: `tillstream topics create` makes it.")
    sent = Published(topic=name, store=store_id, partition=partition_of(key, partitions))
    producer = AIOKafkaProducer(
        **settings.kafka.client_options(),
        client_id="tillstream-publish",
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        max_batch_size=_BATCH_BYTES,
        # The broker says what is too large for the topic; the client would say it of its own, smaller limit.
        max_request_size=2 * INPUT_BYTES,
    )
    try:
        await producer.start()
        await _send_all(producer, sent, key, payloads, progress)
    except KafkaError as error:
        raise PublishError(
            f"Kafka at {settings.kafka.bootstrap} failed after {sent.records} records were acknowledged:"
            f" {error!r}. Publishing all of them again is safe: what came twice changes nothing."
        ) from error
    finally:
        await producer.stop()
    return sent


async def _send_all(
    producer: Any,
    sent: Published,
    key: bytes,
    payloads: Iterable[Payload],
    progress: Callable[[Published], None],
) -> None:
    flying: deque[tuple[asyncio.Future[Any], Payload]] = deque()
    for payload in payloads:
        try:
            future = await producer.send(sent.topic, payload.value, key, partition=sent.partition)
        except MessageSizeTooLargeError as error:
            raise _too_large(payload) from error
        flying.append((future, payload))
        while flying and (len(flying) >= IN_FLIGHT or flying[0][0].done()):
            await _acknowledged(sent, *flying.popleft())
            progress(sent)
    await producer.flush()
    while flying:
        await _acknowledged(sent, *flying.popleft())
    progress(sent)


async def _acknowledged(sent: Published, future: asyncio.Future[Any], payload: Payload) -> None:
    try:
        metadata = await future
    except MessageSizeTooLargeError as error:
        raise _too_large(payload) from error
    sent.records += 1
    sent.bytes += len(payload.value or b"")
    sent.first_offset = metadata.offset if sent.first_offset is None else sent.first_offset
    sent.last_offset = metadata.offset


def _too_large(payload: Payload) -> PublishError:
    return PublishError(
        f"{payload.place}: {len(payload.value or b''):,} bytes are more than the topic takes"
        f" ({INPUT_BYTES:,} with key and headers). Records before it were published."
    )
