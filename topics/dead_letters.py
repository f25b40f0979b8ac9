"""`dead.letters`: records that could not be understood, and where they stand."""

from datetime import datetime

import msgspec

from topics.event import SCHEMA_VERSION, Source

HEAD_BYTES = 65_536
"""A letter carries at most so many bytes of the record; the rest is read from the log by its coordinates."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A refused record: the reason, the coordinates and a bounded head of its bytes (DESIGN 5).

    `reason` is one of a few codes, `detail` names the field and the value or the error; `part` counts the
    orders within a search envelope. `head` is base64 in JSON; `length` and `sha256` are the whole value's.
    """

    dead_letter_id: str
    reason: str
    detail: str
    source: Source
    record_time: datetime
    processed_at: datetime
    store_id: str | None = None
    order_id: str | None = None
    part: int | None = None
    traceback: str | None = None
    head: bytes = b""
    length: int = 0
    sha256: str = ""
    complete: bool = True
    schema_version: int = SCHEMA_VERSION
