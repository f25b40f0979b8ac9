"""A worker that stops and starts again goes on exactly where it was."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.runtime.errors import ExitCode
from tests.integration.counting import Counting, until
from tests.integration.counting_worker import OUTPUT, SOURCES


@pytest.fixture
async def counting(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Counting]:
    async with Counting.on(bootstrap, prefix, tmp_path) as counting:
        yield counting


async def test_a_restart_with_a_backlog_a_table_and_no_committed_offset_loses_nothing(
    counting: Counting,
) -> None:
    await counting.publish(4000)
    first = counting.start()
    await counting.caught_up()
    first.signal(signal.SIGTERM)
    assert await first.ended() == ExitCode.OK
    await counting.publish(3000)
    await counting.publish(3000, topic=SOURCES[1])  # nobody has committed an offset for this one
    counting.start()
    await counting.caught_up()
    await counting.assert_exactly_once()


async def test_a_restart_goes_on_counting_from_the_restored_table(counting: Counting) -> None:
    await counting.publish(970)
    first = counting.start()
    await counting.caught_up()
    first.signal(signal.SIGTERM)
    await first.ended()
    # The changelog now ends in a transaction's marker, after which no record comes.
    second = counting.start()
    await until("it restored the table", lambda: second.said("restored 388 rows"), 20)
    await counting.publish(970)
    await counting.caught_up()
    await counting.assert_exactly_once()


async def test_a_stop_ends_well_and_within_the_grace(counting: Counting) -> None:
    worker = counting.start(shutdown_grace_s=10)
    async with counting.load():
        await counting.further()
        worker.signal(signal.SIGTERM)
        assert await worker.ended(10) == ExitCode.OK
    counting.start()
    await counting.caught_up()
    await counting.assert_exactly_once()


async def test_a_stop_before_the_broker_answers_ends_at_once(prefix: str, tmp_path: Path) -> None:
    counting = Counting("127.0.0.1:1", prefix, tmp_path)  # nothing listens there
    worker = counting.start()
    assert await worker.ended() == ExitCode.CRASHED
    assert worker.said("Kafka at 127.0.0.1:1 does not answer")


async def test_a_worker_whose_membership_ends_before_it_has_a_partition_ends_too(counting: Counting) -> None:
    worker = counting.start(program="brokerless_worker")
    assert await worker.ended() == ExitCode.CRASHED
    assert worker.said(f"membership in the group {counting.prefix}stock ended")


async def test_a_missing_topic_is_named_with_what_to_do(bootstrap: str, prefix: str, tmp_path: Path) -> None:
    counting = Counting(bootstrap, prefix, tmp_path)
    await counting.create(SOURCES)
    worker = counting.start()
    assert await worker.ended() == ExitCode.MISCONFIGURED
    assert worker.said(f"Topics are missing: {prefix}{OUTPUT}, {counting.changelog}")
    assert worker.said("tillstream topics create")


async def test_orders_deleted_unread_are_not_skipped(counting: Counting) -> None:
    await counting.publish(400)
    worker = counting.start()
    await counting.caught_up()
    worker.signal(signal.SIGTERM)
    await worker.ended()
    await counting.publish(400)
    topic = counting.prefix + SOURCES[0]
    admin = AIOKafkaAdminClient(bootstrap_servers=counting.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 2): RecordsToDelete(before_offset=150)})
    finally:
        await admin.close()
    worker = counting.start()
    assert await worker.ended() == ExitCode.MISCONFIGURED
    assert worker.said(
        f"wants offset 100 of {topic} partition 2, but the log begins at 150 (and ends at 200)"
    )


async def test_a_rule_that_fails_stops_the_worker_with_the_coordinates_and_commits_nothing(
    counting: Counting,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=counting.bootstrap)
    await producer.start()
    try:
        for value in (json.dumps({"n": 0}).encode(), b"no number"):
            await producer.send_and_wait(counting.prefix + SOURCES[0], value, key=b"k", partition=1)
    finally:
        await producer.stop()
    worker = counting.start()
    assert await worker.ended() == ExitCode.CRASHED
    assert worker.said(f"{counting.prefix}{SOURCES[0]}/1[0..2)")
    assert await counting.read(counting.prefix + OUTPUT) == []
