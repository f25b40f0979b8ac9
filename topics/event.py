"""What every outgoing event has in common."""

from datetime import datetime

import msgspec

from topics.ids import StoreId

SCHEMA_VERSION = 1


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The head of every outgoing event.

    `event_id` is deterministic: the same decision has the same id in every replay. `event_time` is when it
    happened at its source, `received_at` the inbound record's Kafka timestamp, `processed_at` when it was
    decided (the only field that differs between a decision and its replay). All times are UTC.
    """

    event_id: str
    store_id: StoreId
    event_time: datetime
    received_at: datetime
    processed_at: datetime
    schema_version: int = SCHEMA_VERSION


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where an inbound record stands in the log."""

    topic: str
    partition: int
    offset: int
