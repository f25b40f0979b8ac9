"""Waits until all that came in is decided and written: then the topics can be copied as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka.structs import TopicPartition

from storage import progress
from storage.connection import connect
from storage.rows import TARGETS
from storage.schema import check
from streams.committed import ends_of
from streams.rebuild.errors import RefusedError
from streams.rebuild.standstill import committed
from streams.settings import Settings
from topics.registry import INBOUND

LOOK_EVERY_S = 0.5

Told = Callable[[int, int], None]
"""Is told how many records are still to be decided, and to be written."""


async def undecided(settings: Settings, partitions: int) -> int:
    """Return how many offsets of the inbound topics the stock workers have not passed."""
    inbound = _places([one.name for one in INBOUND], settings, partitions)
    ends, decided = await asyncio.gather(ends_of(inbound, settings.kafka), committed(settings))
    return sum(max(0, end - decided.get(tp, 0)) for tp, end in ends.items())


async def unwritten(settings: Settings, partitions: int) -> int:
    """Return how many offsets of the outgoing topics Postgres has not passed."""
    outbound = _places(list(TARGETS), settings, partitions)
    ends = await ends_of(outbound, settings.kafka)
    connection = await connect(settings.postgres.connect_options(), name="tillstream cli")
    try:
        await check(connection)
        consumer = settings.worker.app_id("history")
        reached = await progress.read(connection, consumer, [(tp.topic, tp.partition) for tp in outbound])
    finally:
        connection.terminate()
    return sum(max(0, end - (reached[tp.topic, tp.partition] or 0)) for tp, end in ends.items())


async def drained(settings: Settings, partitions: int, patience_s: float, told: Told | None = None) -> None:
    """Wait until nothing is left to decide or to write; RefusedError when that takes too long."""
    deadline = time.monotonic() + patience_s
    while True:
        left = await undecided(settings, partitions), await unwritten(settings, partitions)
        if told is not None:
            told(*left)
        if left == (0, 0):
            return
        if time.monotonic() > deadline:
            raise RefusedError(
                f"After {patience_s:.0f} s {left[0]} offsets are not decided and {left[1]} not written: stop"
                " the publishers, keep both kinds of worker at work until `tillstream status` shows no lag,"
                " and run this again. Nothing was changed"
            )
        await asyncio.sleep(LOOK_EVERY_S)


def _places(names: list[str], settings: Settings, partitions: int) -> list[TopicPartition]:
    return [
        TopicPartition(settings.worker.topic(name), number) for name in names for number in range(partitions)
    ]
