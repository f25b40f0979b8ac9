"""What a unit's transaction promises, seen from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.runtime.errors import FencedError, UnitError
from streams.runtime.store import Rows
from streams.runtime.tables import TableSpec
from streams.runtime.transactions import Transactor
from streams.runtime.unit import KafkaUnit
from streams.settings import KafkaSettings, PostgresSettings, Settings, WorkerSettings
from tests.integration.counting import Counting, until

PARTITION = 3
LARGE = 8 << 20


class Plan:
    """A worker's outputs and one table, without the worker."""

    def __init__(self, prefix: str, *topics: str) -> None:
        self.topics: Mapping[str, str] = {topic: prefix + topic for topic in topics}
        self.tables: Mapping[str, TableSpec[Any]] = {"notes": TableSpec("notes")}
        self._changelog = f"{prefix}stock-notes-changelog"
        self._rows = Rows()

    def changelog(self, table: str) -> str:
        return self._changelog

    def rows(self, table: str, partition: int) -> Rows:
        return self._rows


@pytest.fixture
async def topics(bootstrap: str, prefix: str, tmp_path: Path) -> AsyncIterator[Counting]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(f"{prefix}large", 4, 1, topic_configs={"max.message.bytes": str(LARGE)}),
                NewTopic(f"{prefix}small", 4, 1, topic_configs={"max.message.bytes": "10000"}),
                NewTopic(f"{prefix}stock-notes-changelog", 4, 1),
            ]
        )
    finally:
        await admin.close()
    yield Counting(bootstrap, prefix, tmp_path)


@pytest.fixture
async def transactor(bootstrap: str, prefix: str) -> AsyncIterator[Transactor]:
    transactor = Transactor(PARTITION, f"{prefix}stock", _settings(bootstrap, prefix))
    await transactor.start()
    yield transactor
    await transactor.stop()


async def test_a_unit_arrives_whole_and_in_order_however_large_its_events(
    topics: Counting, transactor: Transactor
) -> None:
    plan = Plan(topics.prefix, "large", "small")
    unit = KafkaUnit(PARTITION, plan, transactor)
    sizes = [10, 600_000, 600_000, 5_000_000, 20, 1_100_000]
    for number, size in enumerate(sizes):
        unit.emit(
            "large", b"%d" % number, b"x" * size, [("ce_id", b"%d" % number)], 1_700_000_000_000 + number
        )
    unit.emit("small", b"k", b"v")
    unit.table("notes").put(b"a", b"1")
    sealed = unit.seal()
    await transactor.commit(sealed, {})
    sealed.apply()
    large = await _readable(topics, f"{topics.prefix}large", len(sizes))
    assert [(record.key, len(record.value), record.partition) for record in large] == [
        (b"%d" % number, size, PARTITION) for number, size in enumerate(sizes)
    ]
    assert large[1].headers == (("ce_id", b"1"),)
    assert large[1].timestamp == 1_700_000_000_001
    assert [record.value for record in await _readable(topics, f"{topics.prefix}small", 1)] == [b"v"]
    assert [record.value for record in await _readable(topics, plan.changelog("notes"), 1)] == [b"1"]
    assert plan.rows("notes", PARTITION).data == {b"a": b"1"}


async def test_a_unit_of_which_the_broker_refuses_a_part_is_not_there_at_all(
    topics: Counting, transactor: Transactor
) -> None:
    unit = KafkaUnit(PARTITION, Plan(topics.prefix, "large", "small"), transactor)
    unit.emit("large", b"k", b"fine")
    unit.emit("small", b"k", b"x" * 20_000)
    with pytest.raises(UnitError, match="MessageSizeTooLarge"):
        await transactor.commit(unit.seal(), {TopicPartition(f"{topics.prefix}large", PARTITION): 1})
    heir = Transactor(PARTITION, f"{topics.prefix}stock", _settings(topics.bootstrap, topics.prefix))
    await heir.start()
    try:
        unit = KafkaUnit(PARTITION, Plan(topics.prefix, "large"), heir)
        unit.emit("large", b"k", b"later")
        await heir.commit(unit.seal(), {})
    finally:
        await heir.stop()
    found = await _readable(topics, f"{topics.prefix}large", 1)
    assert [record.value for record in found] == [b"later"]


async def test_the_earlier_owner_of_a_transactional_id_is_fenced(
    topics: Counting, transactor: Transactor
) -> None:
    heir = Transactor(PARTITION, f"{topics.prefix}stock", _settings(topics.bootstrap, topics.prefix))
    await heir.start()
    plan = Plan(topics.prefix, "large")
    try:
        unit = KafkaUnit(PARTITION, plan, transactor)
        unit.emit("large", b"k", b"of the zombie")
        with pytest.raises(FencedError, match="Another worker took over partition 3"):
            await transactor.commit(unit.seal(), {})
        unit = KafkaUnit(PARTITION, plan, heir)
        unit.emit("large", b"k", b"of the heir")
        await heir.commit(unit.seal(), {})
    finally:
        await heir.stop()
    found = await _readable(topics, f"{topics.prefix}large", 1)
    assert [record.value for record in found] == [b"of the heir"]


async def _readable(topics: Counting, topic: str, count: int) -> list[ConsumerRecord]:
    """Read a topic once its transactions' markers are written, which goes on after a commit has returned."""
    found: list[ConsumerRecord] = []

    async def all_there() -> bool:
        found[:] = await topics.read(topic)
        return len(found) >= count

    await until(f"{count} records of {topic} can be read", all_there)
    return found


def _settings(bootstrap: str, prefix: str) -> Settings:
    return Settings(KafkaSettings(bootstrap=bootstrap), PostgresSettings(), WorkerSettings(prefix=prefix))
