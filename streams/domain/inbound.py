"""An inbound record before it is decided: whose it is, whether it is in its place, and what it says."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from zlib import crc32

from streams.domain.books import Moment
from topics import moments
from topics.decoders import Decode
from topics.errors import WRONG_PARTITION, ContractError
from topics.event import Source
from topics.ids import StoreId
from topics.keys import decode_key
from topics.partitions import partition_of


class Record(Protocol):
    """A record as Kafka's client gives it; the time in milliseconds since 1970."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


Read = tuple[StoreId | None, Moment, Sequence[Any]]
"""Whose, when, and the messages; of a record that cannot be read, the exception in their place."""


def read(
    topic: str, partition: int, record: Record, decode: Decode, partitions: int, now: datetime | None = None
) -> Read:
    """Read a record of a topic with so many partitions; it is decided `now`, None: when it came.

    Nothing is raised: what is wrong is said when it is the record's turn, so that letters keep its order.
    """
    store_id: StoreId | None = None
    value = record.value
    received_at = moments.of_record(record.timestamp)
    messages: Sequence[Any]
    try:
        store_id = decode_key(record.key)
        if partition_of(record.key, partitions) != partition:
            raise ContractError("wrong_partition", WRONG_PARTITION)
        messages = decode(value, received_at)
    except Exception as error:  # whatever it is, it costs one record
        messages = (error,)
    source = Source(topic=topic, partition=partition, offset=record.offset)
    moment = Moment(source, received_at, now or received_at, crc32(value) if value else 0)
    return store_id, moment, messages
