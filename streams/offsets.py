"""What Kafka knows of a consumer group: the offsets that it has committed, and its members.

aiokafka takes an answer that is an error as a whole, such as that the group's coordinator still loads, for
that of a group which has committed nothing, or has no members. Whoever believed it would begin at the start
of the log again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import TopicPartition

PATIENCE_S = 15.0
"""So long a coordinator may take to load, or to be made when the first group of a cluster is asked for."""
PAUSE_S = 0.1
UNSETTLED = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)

Answer = TypeVar("Answer")


def read_offsets(answer: Any) -> dict[TopicPartition, int | None]:
    """Return the offset of each partition in an answer to OffsetFetch, None where nothing is committed.

    Raises the KafkaError that the answer is, or that it holds of a partition.
    """
    _check(answer.error_code)
    offsets: dict[TopicPartition, int | None] = {}
    for topic, partitions in answer.topics:
        for number, offset, _, code in partitions:
            _check(code)
            offsets[TopicPartition(topic, number)] = offset if offset >= 0 else None
    return offsets


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return the offsets that a group has committed, by partition; KafkaError when that cannot be known."""

    async def ask() -> dict[TopicPartition, int]:
        coordinator = await admin.find_coordinator(group)
        answer = await admin._send_request(OffsetFetchRequest(group, None), coordinator)
        return {tp: offset for tp, offset in read_offsets(answer).items() if offset is not None}

    return await _settled(ask)


async def described(admin: AIOKafkaAdminClient, group: str) -> dict[str, Any]:
    """Return Kafka's description of a group (`state`, `members`); KafkaError when that cannot be known."""

    async def ask() -> dict[str, Any]:
        (answer,) = await admin.describe_consumer_groups([group])
        found: dict[str, Any]
        (found,) = answer.to_object()["groups"]
        _check(found["error_code"])
        return found

    return await _settled(ask)


def _check(code: int) -> None:
    if code:
        raise for_code(code)()


async def _settled(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask, and ask again for a while what no coordinator can tell yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask()
        except UNSETTLED:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE_S)
