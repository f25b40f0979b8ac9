"""What the history reads of every event. Decimals and times stay text until they are encoded for COPY."""

import msgspec


class Head(msgspec.Struct, kw_only=True, gc=False):
    """The part of topics.event.Event that rows have."""

    store_id: str
    event_time: str
    received_at: str
    processed_at: str


HEAD_COLUMNS = ("event_time", "received_at", "processed_at")
