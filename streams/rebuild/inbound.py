"""What came in, read again: the messages that were not refused then, of records that were decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import msgspec

from streams.domain.books import Moment
from topics import moments
from topics.codec import decode_dead_letter
from topics.decoders import MESSAGES
from topics.event import Source
from topics.ids import StoreId
from topics.keys import decode_key
from topics.partitions import partition_of


class Told(msgspec.Struct, frozen=True, gc=False):
    """A message, whose it is, and the moment of its record."""

    store_id: StoreId
    moment: Moment
    message: Any


class Inbound:
    """Reads the inbound records of one partition number as the agents did."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._refused: set[tuple[str, int, int]] = set()

    def refuse(self, record: Any) -> None:
        """Take a dead letter: what it is about was not decided."""
        letter = decode_dead_letter(record.value)
        self._refused.add((letter.source.topic, letter.source.offset, letter.part or 0))

    def read(self, topic: str, record: Any) -> Iterator[Told]:
        """Yield the messages of a record; of one that was refused, or would be, none."""
        try:
            store_id = decode_key(record.key)
            if partition_of(record.key, self._partitions) != record.partition:
                return
            received_at = moments.of_record(record.timestamp)
            messages = MESSAGES[topic](record.value, received_at)
        except Exception:  # whatever it was then, too: the record is a dead letter
            return
        source = Source(topic=topic, partition=record.partition, offset=record.offset)
        checksum = crc32(record.value) if record.value else 0
        for number, message in enumerate(messages):
            part = number if len(messages) > 1 else None
            if not isinstance(message, Exception) and (topic, record.offset, part or 0) not in self._refused:
                yield Told(store_id, Moment(source, received_at, received_at, checksum, part), message)
