"""Reading what is committed: neither more nor less, and never for ever."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from storage.progress import Span
from streams.committed import CommittedLog, LogError
from streams.settings import KafkaSettings


@pytest.fixture
async def topic(bootstrap: str, prefix: str) -> AsyncIterator[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(f"{prefix}orders", 1, 1)])
    yield f"{prefix}orders"
    await admin.close()


@pytest.fixture
async def writer(bootstrap: str, prefix: str) -> AsyncIterator[Any]:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{prefix}writer") as producer:
        yield producer


async def written(writer: Any, topic: str, *values: bytes) -> None:
    for value in values:
        await writer.send_and_wait(topic, value, partition=0)


async def test_records_of_aborted_transactions_are_gone_through_and_not_seen(
    bootstrap: str, topic: str, writer: Any
) -> None:
    async with writer.transaction():
        await written(writer, topic, b"1", b"2")
    await writer.begin_transaction()
    await written(writer, topic, b"aborted")
    await writer.abort_transaction()
    async with writer.transaction():
        await written(writer, topic, b"3")

    async with CommittedLog.open(KafkaSettings(bootstrap=bootstrap)) as log:
        (span,) = (await log.ranges([(topic, 0)])).values()
        pieces = [piece async for pieces in log.read([span]) for piece in pieces]
        part = [record.value async for record in log.records([Span(topic, 0, 1, 2)])]

    assert [record.value for piece in pieces for record in piece.records] == [b"1", b"2", b"3"]
    assert sum(piece.offsets for piece in pieces) == span.offsets == 7, "four records, three markers"
    assert part == [b"2"]


async def test_a_reading_that_a_hanging_transaction_holds_back_ends_with_what_to_do(
    bootstrap: str, topic: str, writer: Any
) -> None:
    async with writer.transaction():
        await written(writer, topic, b"1")
    await writer.begin_transaction()
    await written(writer, topic, b"open")

    async with CommittedLog.open(KafkaSettings(bootstrap=bootstrap), patience_s=0.5) as log:
        with pytest.raises(LogError, match=f"{topic}/0 at 2. .*`tillstream doctor` says which"):
            async for _ in log.read([Span(topic, 0, 0, 3)]):
                pass
    await writer.abort_transaction()


async def test_a_reading_of_what_retention_has_removed_says_what_the_log_has(
    bootstrap: str, topic: str, writer: Any
) -> None:
    async with writer.transaction():
        await written(writer, topic, b"1", b"2")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=1)})
    await admin.close()

    async with CommittedLog.open(KafkaSettings(bootstrap=bootstrap)) as log:
        with pytest.raises(LogError, match=rf"{topic}/0 offset 0 \(its log has 1 up to 3\)"):
            async for _ in log.read([Span(topic, 0, 0, 2)]):
                pass


async def test_a_log_may_be_closed_as_soon_as_it_is_open(bootstrap: str) -> None:
    async with CommittedLog.open(KafkaSettings(bootstrap=bootstrap)):
        pass


async def test_a_broker_that_is_not_there_is_named() -> None:
    with pytest.raises(LogError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        async with CommittedLog.open(KafkaSettings(bootstrap="127.0.0.1:1")):
            pass
