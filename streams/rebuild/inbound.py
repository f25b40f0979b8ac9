"""What came in, read again: the messages that were not refused then, of records that were decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streams.domain.books import Moment
from streams.domain.inbound import read
from topics.codec import decode_dead_letter
from topics.decoders import MESSAGES
from topics.ids import StoreId


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
        store_id, moment, messages = read(topic, record.partition, record, MESSAGES[topic], self._partitions)
        for number, message in enumerate(messages):
            part = number if len(messages) > 1 else None
            if (
                store_id is not None
                and not isinstance(message, Exception)
                and (topic, record.offset, part or 0) not in self._refused
            ):
                at = moment if part is None else msgspec.structs.replace(moment, part=part)
                yield Told(store_id, at, message)
