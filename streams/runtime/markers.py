"""Whether the markers of a transaction are written: without them its records are neither there nor not.

Kafka answers the end of a transaction before it has written the markers that end it in each partition. It
goes on until they are written, with one exception, found in 4.3.1: a partition that has no leader at that
moment is taken for a deleted one and left out (`KRaftMetadataCache.getPartitionLeaderEndpoint` does not tell
the two apart). The transaction counts as complete, but there its records stay undecided, and share the fate
of the producer's next transaction: if that is aborted, records that had been committed are lost.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaError,
    LeaderNotAvailableError,
    for_code,
)
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from streams import protocol
from streams.committed import CommittedLog
from streams.protocol import Question
from streams.settings import KafkaSettings

LATEST = -1
NOBODY = -1
NO_REPLICA = -1
UNSTABLE = 88
PAUSE_S = 0.005

NOTES = "__transaction_state"
"""Where coordinators note the state of transactions, by transactional id."""
# How a note begins, in all its versions: version, producer id, epoch, timeout, status.
_NOTE = struct.Struct(">hqhib")
_KEY = struct.Struct(">hh")
_PREPARE_COMMIT, _PREPARE_ABORT, _COMMITTED, _ABORTED = 2, 3, 4, 5
_DECIDED = {_PREPARE_COMMIT: True, _COMMITTED: True, _PREPARE_ABORT: False, _ABORTED: False}


class Markers:
    """Asks with the client of a transactional producer, which must have been started."""

    def __init__(self, producer: AIOKafkaProducer, group: str, kafka: KafkaSettings) -> None:
        self._producer = producer
        self._kafka = kafka
        self._client: AIOKafkaClient = producer.client
        self._group = group
        self._coordinator: int | None = None

    async def missing(
        self, ends: Mapping[TopicPartition, int], offsets: Mapping[TopicPartition, int]
    ) -> list[str]:
        """Return where a committed transaction does not show yet.

        `ends` are the offsets behind its last records, `offsets` those that it committed for the group.
        Raises KafkaError when that cannot be told now.
        """
        stable, committed = await asyncio.gather(
            self._ends(ends, committed=True), self._committed(offsets) if offsets else _nothing()
        )
        return [
            *(f"{tp.topic}/{tp.partition}" for tp, end in ends.items() if stable[tp] < end),
            *(
                f"the offset of {tp.topic}/{tp.partition}"
                for tp, offset in offsets.items()
                if committed.get(tp, -1) < offset
            ),
        ]

    async def undecided(
        self, written: Collection[TopicPartition], sources: Collection[TopicPartition]
    ) -> list[str]:
        """Return what has no marker, of what this producer's id has written to and whose offsets it commits.

        It must be asked after the producer has started and before it begins a transaction: then no
        transaction of this id is open. Raises KafkaError when that cannot be told now.
        """
        ends = await self._ends(written, committed=False)
        stable = await self._ends(written, committed=True)
        committed = await self._committed(sources) if sources else {}
        return [
            *(f"{tp.topic}/{tp.partition}" for tp in written if stable[tp] < ends[tp]),
            *(f"the offset of {tp.topic}/{tp.partition}" for tp in sources if tp not in committed),
        ]

    async def decided(self) -> bool | None:
        """Return whether the last transaction of the producer's id was committed, as its coordinator noted.

        None when that is not noted, or no longer. Raises KafkaError or `LogError` when it cannot be read.
        """
        name = self._producer._txn_manager.transactional_id.encode()
        key = _KEY.pack(0, len(name)) + name
        numbers = await self._client._wait_on_metadata(NOTES)
        place = (NOTES, _java_hash(name) % len(numbers))
        found: bool | None = None
        async with CommittedLog.open(self._kafka) as log:
            async for record in log.records((await log.ranges([place])).values()):
                if record.key == key and record.value is not None:
                    *_, status = _NOTE.unpack_from(record.value)
                    found = _DECIDED.get(status, found)
        return found

    async def write(self, partitions: Iterable[TopicPartition], *, commit: bool) -> None:
        """Write a marker to each partition and to the group's offsets, by a transaction that holds nothing.

        It ends what the producer has undecided there. Raises KafkaError when that fails.
        """
        producer, manager = self._producer, self._producer._txn_manager
        await producer.begin_transaction()
        for tp in partitions:
            manager.maybe_add_partition_to_txn(tp)
        while manager.partitions_to_add():  # noqa: ASYNC110  # aiokafka's sender adds them, and tells nobody
            await asyncio.sleep(PAUSE_S)
        while not await producer._sender._do_add_offsets_to_txn(self._group):
            pass
        await (producer.commit_transaction() if commit else producer.abort_transaction())

    async def _ends(
        self, partitions: Iterable[TopicPartition], *, committed: bool
    ) -> dict[TopicPartition, int]:
        """The ends of logs, or as far as committed records may be read."""
        asked: dict[int, dict[str, list[tuple[int, int]]]] = {}
        for tp in partitions:
            await self._client._wait_on_metadata(tp.topic)
            leader = self._client.cluster.leader_for_partition(tp)
            if leader is None or leader == NOBODY:
                self._client.force_metadata_update()
                raise LeaderNotAvailableError(f"{tp.topic}/{tp.partition}")
            asked.setdefault(leader, {}).setdefault(tp.topic, []).append((tp.partition, LATEST))
        answers = await asyncio.gather(
            *(
                self._client.send(leader, OffsetRequest(NO_REPLICA, int(committed), list(topics.items())))
                for leader, topics in asked.items()
            )
        )
        found: dict[TopicPartition, int] = {}
        for topic, parts in (topic for answer in answers for topic in answer.topics):
            for number, code, _, offset in parts:
                if code:
                    self._client.force_metadata_update()
                    raise for_code(code)(f"{topic}/{number}")
                found[TopicPartition(topic, number)] = offset
        return found

    async def _committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's offsets, without those that a transaction may still change."""
        topics: dict[str, list[int]] = {}
        for tp in partitions:
            topics.setdefault(tp.topic, []).append(tp.partition)
        try:
            answer = await self._ask_group(protocol.stable_offsets(self._group, topics))
            codes = {answer.error_code, *(part[-2] for _, parts, _ in answer.topics for part in parts)}
            for code in codes - {0, UNSTABLE}:
                raise for_code(code)(f"offsets of group {self._group}")
        except KafkaError:
            self._coordinator = None  # it may be another broker
            raise
        return {
            TopicPartition(topic, number): offset
            for topic, parts, _ in answer.topics
            for number, offset, _, _, code, _ in parts
            if not code
        }

    async def _ask_group(self, question: Question) -> Any:
        if self._coordinator is None:
            if self._client.get_random_node() is None:
                raise GroupCoordinatorNotAvailableError("no broker is known")
            self._coordinator = await self._client.coordinator_lookup(CoordinationType.GROUP, self._group)
        return await self._client.send(self._coordinator, question, group=ConnectionGroup.COORDINATION)


def _java_hash(text: bytes) -> int:
    """Java's hash of a string of ASCII characters, with the sign taken off as coordinators do."""
    found = 0
    for character in text:
        found = (found * 31 + character) & 0xFFFFFFFF
    return found if found < 1 << 31 else (1 << 32) - found


async def _nothing() -> dict[TopicPartition, int]:
    return {}
