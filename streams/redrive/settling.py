"""What a redrive that was broken off had sent: found on the topics by the marks."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from storage.operations.dead_letters import Open
from streams.redrive.errors import RedriveError
from streams.redrive.marks import redrive_of
from streams.redrive.originals import unreachable
from streams.settings import Settings

PATIENCE_S = 90.0
"""Longer than an open transaction lives: its end lets readers go on."""
_POLL_MS = 250


async def look(
    settings: Settings, sendings: Sequence[Open], progress: Callable[[int], None]
) -> dict[str, int | None]:
    """Return the offset of each sending's record (None: it was not sent); what cannot be known is left out.

    Whoever began them must be fenced before. The log is read from where they began; `progress` is called with
    the number of records. A sending whose place retention has removed cannot be known.
    """
    if not sendings:
        return {}
    options = settings.kafka.client_options()
    reader: Any = AIOKafkaConsumer(
        **options,
        client_id="tillstream-redrive",
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    ends: Any = AIOKafkaConsumer(**options, client_id="tillstream-redrive")
    known: dict[str, int | None] = {}
    try:
        await reader.start()
        await ends.start()
        places = sorted({(one.topic, one.partition) for one in sendings})
        for topic, partition in places:
            due = [one for one in sendings if (one.topic, one.partition) == (topic, partition)]
            tp = TopicPartition(settings.worker.topic(topic), partition)
            begin = (await ends.beginning_offsets([tp]))[tp]
            end = (await ends.end_offsets([tp]))[tp]
            due = [one for one in due if begin <= one.after_offset <= end]
            if due:
                known |= await _scan(reader, tp, end, due, progress)
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        await reader.stop()
        await ends.stop()
    return known


async def _scan(
    reader: Any, tp: TopicPartition, end: int, due: Sequence[Open], progress: Callable[[int], None]
) -> dict[str, int | None]:
    known: dict[str, int | None] = {one.redrive_id: None for one in due}
    position = min(one.after_offset for one in due)
    reader.assign([tp])
    reader.seek(tp, position)
    deadline = time.monotonic() + PATIENCE_S
    while position < end and None in known.values():
        found = (await reader.getmany(tp, timeout_ms=_POLL_MS)).get(tp, [])
        for record in found:
            redrive_id = redrive_of(record.headers)
            if redrive_id in known:
                known[redrive_id] = record.offset
        reached = await reader.position(tp)
        if reached > position:
            deadline = time.monotonic() + PATIENCE_S
            progress(reached - position)
        elif time.monotonic() > deadline:
            raise RedriveError(
                f"What an earlier redrive sent cannot be seen: {tp.topic}/{tp.partition} has stood at offset"
                f" {position} for {PATIENCE_S:.0f} s, and ends at {end}; a transaction hangs there."
                " `tillstream doctor` names it. Nothing was sent"
            )
        position = reached
    return known
