"""A transaction that Kafka ends without a marker somewhere: its records are not lost, and do not come back.

Kafka leaves out the marker of a partition that has no leader at that moment. Here the coordinator is kept
from knowing that a partition belongs to the transaction, with the same result; brokers must not check that.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTxnState
from aiokafka.structs import TopicPartition

from streams.committed import LogError
from streams.runtime.errors import FencedError, UndecidedError
from streams.runtime.markers import Markers
from streams.runtime.transactions import Transactor
from streams.runtime.transactors import Transactors
from streams.runtime.unit import KafkaUnit
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.integration.counting import Counting, until
from tests.integration.test_runtime_transactions import Plan

PARTITION = 3
NAMES = ("large", "small")


class Bench:
    """Topics, and transactors of one id."""

    def __init__(self, topics: Counting, settings: Settings) -> None:
        self.topics = topics
        self.settings = settings
        self.group = f"{topics.prefix}stock"
        self.plan = Plan(topics.prefix, *NAMES)
        self.written = [*self.plan.topics.values(), self.plan.changelog("notes")]
        self.source = TopicPartition(f"{topics.prefix}source", PARTITION)
        self._made: list[Transactors] = []

    async def close(self) -> None:
        while self._made:
            await self._made.pop().stop()

    async def owner(self) -> Transactor:
        """Take the partition over as a worker does."""
        owned = Transactors(self.group, self.settings, self.written, lambda _: None)
        self._made.append(owned)
        await owned.own({self.source}, set())
        return owned[PARTITION]

    async def commit(self, transactor: Transactor, value: bytes, offset: int) -> None:
        """Commit a unit that writes to every topic and moves the source's offset."""
        await transactor.commit(self.unit(transactor, value).seal(), {self.source: offset})

    def unit(self, transactor: Transactor, value: bytes) -> KafkaUnit:
        unit = KafkaUnit(PARTITION, self.plan, transactor)
        for name in NAMES:
            unit.emit(name, b"k", value)
        unit.table("notes").put(b"k", value)
        return unit

    async def readable(self) -> dict[str, list[bytes]]:
        """What may be read of each topic now."""
        return {
            topic.removeprefix(self.topics.prefix): [record.value for record in await self.topics.read(topic)]
            for topic in self.written
        }

    async def offset(self) -> int | None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.topics.bootstrap, group_id=self.group)
        consumer.assign([self.source])
        await consumer.start()
        try:
            found: int | None = await consumer.committed(self.source)
            return found
        finally:
            await consumer.stop()

    async def unverified(self) -> bool:
        """Whether brokers no longer check what belongs to a transaction; they hear of it some time later."""
        probe = Transactor(0, f"{self.group}-probe", self.settings)
        await probe.start()
        leave_out(probe, self.written, offsets=False)
        try:
            await probe._producer.begin_transaction()
            await probe._write(self.unit(probe, b"probe").seal(), {})
        except InvalidTxnState:
            return False
        else:
            await probe._producer.abort_transaction()
            await probe._markers.write([TopicPartition(topic, 0) for topic in self.written], commit=False)
            return True
        finally:
            await _die(probe)

    async def all_shows(self, values: list[bytes], offset: int | None) -> None:
        """Wait until every topic has exactly these values, and the source this offset."""
        due = {topic.removeprefix(self.topics.prefix): values for topic in self.written}

        async def shows() -> bool:
            return await self.readable() == due and await self.offset() == offset

        await until(f"every topic has {values} and the offset is {offset}", shows)


@pytest.fixture
async def bench(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Bench]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = (*NAMES, "source", "stock-notes-changelog")
        await admin.create_topics([NewTopic(prefix + name, 4, 1) for name in names])
        await admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.BROKER,
                    str(broker),
                    configs={"transaction.partition.verification.enable": "false"},
                )
                for broker in {node.nodeId for node in admin._client.cluster.brokers()}
            ]
        )
    finally:
        await admin.close()
    settings = Settings(KafkaSettings(bootstrap=bootstrap), PostgresSettings(), WorkerSettings(prefix=prefix))
    bench = Bench(Counting(bootstrap, prefix, tmp_path), settings)
    await until("brokers take records that no coordinator knows of", bench.unverified)
    yield bench
    await bench.close()


def leave_out(transactor: Transactor, topics: Collection[str], *, offsets: bool) -> None:
    """Have the next transaction's coordinator not know of these topics, nor of the group, if so told."""
    manager, sender = transactor._producer._txn_manager, transactor._producer._sender
    add, add_group = manager.maybe_add_partition_to_txn, sender._do_add_offsets_to_txn

    def without(tp: TopicPartition) -> None:
        if tp.topic not in topics:
            add(tp)

    async def as_if_added(group: str) -> bool:
        manager.consumer_group_added(group)
        return True

    manager.maybe_add_partition_to_txn = without
    if offsets:
        sender._do_add_offsets_to_txn = as_if_added

    begin = transactor._producer.begin_transaction

    async def next_one() -> None:
        transactor._producer.begin_transaction = restored

    async def first() -> None:
        await begin()
        await next_one()

    async def restored() -> None:
        manager.maybe_add_partition_to_txn, sender._do_add_offsets_to_txn = add, add_group
        transactor._producer.begin_transaction = begin
        await begin()

    transactor._producer.begin_transaction = first


@pytest.mark.parametrize("offsets", [False, True], ids=["records", "records and offsets"])
async def test_what_is_committed_without_a_marker_gets_one_before_anything_else(
    bench: Bench, offsets: bool
) -> None:
    transactor = await bench.owner()
    await bench.commit(transactor, b"1", 10)
    leave_out(transactor, bench.written[1:], offsets=offsets)
    await bench.commit(transactor, b"2", 20)
    await bench.all_shows([b"1", b"2"], 20)
    # And it stays, although the next transaction is aborted.
    await transactor._shown
    await _take_back(bench, transactor, b"3", 30)
    await transactor.stop()
    heir = await bench.owner()
    await heir.stop()
    await bench.all_shows([b"1", b"2"], 20)


@pytest.mark.parametrize("topics", [(), ("small",), NAMES], ids=["offsets alone", "one topic", "all topics"])
async def test_who_takes_over_ends_it_as_it_was_decided(bench: Bench, topics: tuple[str, ...]) -> None:
    left_out = [bench.plan.topics[name] for name in topics]
    transactor = await bench.owner()
    leave_out(transactor, left_out, offsets=True)
    await bench.commit(transactor, b"1", 10)
    await _die(transactor)
    heir = await bench.owner()
    await bench.all_shows([b"1"], 10)
    leave_out(heir, left_out, offsets=True)
    await _take_back(bench, heir, b"2", 20)
    await _die(heir)
    last = await bench.owner()
    await bench.commit(last, b"3", 30)
    await bench.all_shows([b"1", b"3"], 30)
    await last.stop()


async def test_what_a_killed_owner_had_open_is_aborted_even_where_the_marker_is_left_out(
    bench: Bench,
) -> None:
    transactor = await bench.owner()
    await bench.commit(transactor, b"1", 10)
    await transactor._shown
    leave_out(transactor, bench.written[:1], offsets=True)
    await transactor._producer.begin_transaction()
    await transactor._write(bench.unit(transactor, b"2").seal(), {bench.source: 20})
    await bench.owner()
    await bench.all_shows([b"1"], 10)


async def test_it_is_known_also_after_someone_who_took_over_and_ended_before_he_looked(bench: Bench) -> None:
    transactor = await bench.owner()
    leave_out(transactor, bench.written[:1], offsets=False)
    await bench.commit(transactor, b"1", 10)
    await _die(transactor)
    between = Transactor(PARTITION, bench.group, bench.settings)
    await between.start()
    await _die(between)
    await bench.owner()
    await bench.all_shows([b"1"], 10)


@pytest.mark.parametrize("notes", [None, LogError("no right to read")], ids=["no note", "unreadable"])
async def test_what_nobody_can_know_is_refused(
    bench: Bench, notes: LogError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decided(_: Markers) -> bool | None:
        if notes is not None:
            raise notes
        return None

    monkeypatch.setattr(Markers, "decided", decided)
    transactor = await bench.owner()
    leave_out(transactor, bench.written[:1], offsets=False)
    await bench.commit(transactor, b"1", 10)
    await _die(transactor)
    with pytest.raises(UndecidedError, match=rf"without a marker in {bench.written[0]}/{PARTITION}"):
        await bench.owner()


async def test_nothing_of_a_failed_unit_is_told_later(bench: Bench) -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    transactor = await bench.owner()
    heir = await bench.owner()
    with pytest.raises(FencedError):
        await bench.commit(transactor, b"1", 10)
    await bench.close()
    del transactor, heir
    await asyncio.sleep(0)
    gc.collect()
    assert told == []


async def _take_back(bench: Bench, transactor: Transactor, value: bytes, offset: int) -> None:
    """Write a unit and take it back."""
    producer = transactor._producer
    await producer.begin_transaction()
    await transactor._write(bench.unit(transactor, value).seal(), {bench.source: offset})
    await producer.abort_transaction()


async def _die(transactor: Transactor) -> None:
    """End as a killed process does: without looking whether the last transaction shows."""
    if transactor._shown is not None:
        transactor._shown.cancel()
    await transactor._producer.stop()
