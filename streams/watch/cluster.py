"""Kafka as an onlooker sees it: brokers, partitions, offsets, groups. Changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.offsets import committed_offsets, described
from streams.protocol import Question
from streams.settings import Settings, require_kafka
from streams.watch.errors import SilentError

CONNECT_S = 10.0
ANSWER_S = 15.0
CLOSE_S = 2.0
FETCH_BYTES = 256 << 10
# So long at most for the first unread record of every partition.
READ_S = 3.0
POLL_MS = 200


class Broker(NamedTuple):
    """A broker of the cluster."""

    node_id: int
    host: str
    port: int


class Partition(NamedTuple):
    """A partition and where its copies are; `leader` -1 when it has none."""

    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class LogRange(NamedTuple):
    """Offsets of a partition: the first, the first that committed readers may not have yet, and the end."""

    start: int
    stable: int
    end: int


class Member(msgspec.Struct, frozen=True):
    """A member of a consumer group and what it is assigned."""

    member_id: str
    client_id: str
    host: str
    partitions: Mapping[str, list[int]]


class Group(msgspec.Struct, frozen=True):
    """A consumer group; `state` as Kafka says it (Stable, Empty, Dead, PreparingRebalance, …)."""

    name: str
    state: str
    members: list[Member]


class Cluster:
    """An onlooker's connection: `async with Cluster.of(settings) as cluster`."""

    def __init__(self, settings: Settings) -> None:
        require_kafka(settings)
        self._settings = settings
        options = settings.kafka.client_options()
        self._admin = AIOKafkaAdminClient(**options, client_id="tillstream-watch")
        # Who asks for the ends needs no fetcher to run, and two levels of isolation.
        common = {"client_id": "tillstream-watch", "enable_auto_commit": False, "auto_offset_reset": "none"}
        self._stable = AIOKafkaConsumer(
            **options,
            **common,
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        self._ends = AIOKafkaConsumer(**options, **common, isolation_level="read_uncommitted")

    async def __aenter__(self) -> Self:
        """Connect; SilentError when no broker answers."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.gather(self._admin.start(), self._stable.start(), self._ends.start())
        except (KafkaError, OSError) as error:
            await self._close()
            raise SilentError(
                "Kafka",
                f"{self._settings.kafka.bootstrap}, {str(error) or type(error).__name__}",
                "Check that the brokers are up and TILLSTREAM_KAFKA_BOOTSTRAP is right",
            ) from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(
            self._admin.close(), _stop(self._stable), _stop(self._ends), return_exceptions=True
        )

    async def brokers(self) -> list[Broker]:
        """Return the brokers that are in the cluster now."""
        found = await self._admin.describe_cluster()
        return [
            Broker(broker["node_id"], broker["host"], broker["port"])
            for broker in sorted(found["brokers"], key=lambda broker: int(broker["node_id"]))
        ]

    async def partitions(self, names: Collection[str]) -> dict[str, dict[int, Partition]]:
        """Return the partitions of those of the topics that there are."""
        # All are asked for, not these by name: a broker may make a topic that it is asked about.
        return {
            topic["topic"]: {
                part["partition"]: Partition(part["leader"], tuple(part["replicas"]), tuple(part["isr"]))
                for part in topic["partitions"]
            }
            for topic in await self._admin.describe_topics()
            if topic["error_code"] == 0 and topic["topic"] in names
        }

    async def ranges(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, LogRange]:
        """Return the offsets of partitions that exist."""
        wanted = list(places)
        if not wanted:
            return {}
        # Told of all at once, or aiokafka asks for the metadata of one topic after the other, a tenth of a
        # second each.
        topics = {tp.topic for tp in wanted}
        await asyncio.gather(*(one._client.set_topics(topics) for one in (self._stable, self._ends)))
        starts, stable, ends = await asyncio.gather(
            self._ends.beginning_offsets(wanted),
            self._stable.end_offsets(wanted),
            self._ends.end_offsets(wanted),
        )
        return {tp: LogRange(starts[tp], stable[tp], ends[tp]) for tp in wanted}

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the offsets that a group has committed."""
        return await committed_offsets(self._admin, group)

    async def group(self, name: str) -> Group:
        """Return a group and its members; one that was never there is Dead."""
        found = await described(self._admin, name)
        members = [_member(member) for member in found["members"]]
        return Group(name, found["state"] or "Dead", sorted(members, key=lambda member: member.client_id))

    async def oldest(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int | None]:
        """Return when the first committed record from each position on was written, in ms since 1970.

        None: there is none up to the end. A partition that did not answer in time is left out.
        """
        found: dict[TopicPartition, int | None] = {}
        if not positions:
            return found
        consumer = self._stable
        consumer.assign(list(positions))
        for tp, offset in positions.items():
            consumer.seek(tp, offset)
        ends = await consumer.end_offsets(list(positions))
        deadline = time.monotonic() + READ_S
        while (left := positions.keys() - found.keys()) and time.monotonic() < deadline:
            records = await consumer.getmany(*left, timeout_ms=POLL_MS, max_records=len(left))
            for tp, some in records.items():
                found[tp] = int(some[0].timestamp)
                consumer.pause(tp)
            for tp in left - found.keys():
                # Markers of transactions move the position and are no records.
                if await consumer.position(tp) >= ends[tp]:
                    found[tp] = None
        return found

    async def last_records(
        self, places: Mapping[TopicPartition, LogRange], count: int
    ) -> dict[TopicPartition, list[Any]]:
        """Return up to about `count` of the last committed records of each partition."""
        wanted = {tp: log for tp, log in places.items() if log.stable > log.start}
        found: dict[TopicPartition, list[Any]] = {tp: [] for tp in wanted}
        if not wanted:
            return found
        consumer = self._stable
        consumer.assign(list(wanted))
        for tp, log in wanted.items():
            consumer.seek(tp, max(log.start, log.stable - count))
        left = set(wanted)
        deadline = time.monotonic() + READ_S
        while left and time.monotonic() < deadline:
            for tp, some in (await consumer.getmany(*left, timeout_ms=POLL_MS)).items():
                found[tp] += some
            left = {tp for tp in left if await consumer.position(tp) < wanted[tp].stable}
        return found

    async def ask(self, node_id: int, question: Question) -> dict[str, Any]:
        """Ask one broker; KafkaError when it does not know the question or does not answer."""
        async with asyncio.timeout(ANSWER_S):
            answer = await self._admin._send_request_to_node(node_id, question)
        found: dict[str, Any] = answer.to_object()
        return found


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, in bounded time.

    aiokafka's fetcher loses a cancellation that comes while it puts away an earlier assignment, and then
    waits for ever; a second one, which the timeout is, ends it.
    """
    async with asyncio.timeout(CLOSE_S):
        await consumer.stop()


def _member(found: Mapping[str, Any]) -> Member:
    partitions: dict[str, list[int]] = {}
    if found["member_assignment"]:
        for topic, numbers in ConsumerProtocol.ASSIGNMENT.decode(found["member_assignment"]).assignment:
            partitions[topic] = sorted(numbers)
    return Member(found["member_id"], found["client_id"], found["client_host"].lstrip("/"), partitions)
