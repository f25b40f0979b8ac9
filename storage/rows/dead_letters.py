"""`dead.letters`: records that the stock worker refused, and those that cannot become rows."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from storage.rows.document import Document, Rows
from storage.rows.entry import Entry, Record, Table
from topics.dead_letters import HEAD_BYTES
from topics.ids import uuid5

NOT_AN_EVENT, NOT_A_ROW = "not_an_event", "not_a_row"
"""Reasons of the history worker's letters; the stock worker's are `topics.errors.REASONS`."""

DETAIL_CHARS = 1_000
_NEVER = "1970-01-01T00:00:00Z"


class Source(msgspec.Struct, kw_only=True, gc=False):
    topic: str
    partition: int
    offset: int


class DeadLetter(msgspec.Struct, kw_only=True, gc=False):
    """The part of topics.dead_letters.DeadLetter that has columns."""

    dead_letter_id: str
    reason: str
    detail: str
    source: Source
    record_time: str
    processed_at: str
    store_id: str | None = None
    order_id: str | None = None
    part: int | None = None
    traceback: str | None = None
    head: bytes = b""
    length: int = 0
    sha256: str = ""
    complete: bool = True
    found_by: str = "stock"


DEAD_LETTERS = Table(
    "dead_letters",
    (
        "dead_letter_id", "found_by", "reason", "detail",
        "source_topic", "source_partition", "source_offset", "part", "store_id", "order_id",
        "record_time", "processed_at", "traceback", "head", "length", "sha256", "complete",
    ),
)  # fmt: skip


def _fill(letter: DeadLetter, _value: bytes, letters: Rows) -> None:
    source = letter.source
    letters.append(
        (
            letter.dead_letter_id, letter.found_by, letter.reason, letter.detail,
            source.topic, source.partition, source.offset, letter.part, letter.store_id, letter.order_id,
            letter.record_time, letter.processed_at, letter.traceback,
            letter.head, letter.length, letter.sha256, letter.complete,
        )
    )  # fmt: skip


class Letters(Document[DeadLetter]):
    """Letters never change; the first one of an id stays."""

    async def write(self, connection: Any, entries: Sequence[Entry[DeadLetter]], *, careful: bool) -> None:
        """Add the letters that are not there yet.

        They are always asked for, being few: the table's key has the month in it, and would let the letter
        of a record pass that stands where another one did before its topic was made anew.
        """
        await super().write(connection, entries, careful=True)


LETTER = Letters(
    "dead_letters",
    decode=msgspec.json.Decoder(DeadLetter).decode,
    key=lambda letter: (letter.dead_letter_id,),
    revision=lambda letter: 1,
    tables=(DEAD_LETTERS,),
    fill=_fill,
)


def refused(record: Record, reason: str, detail: str) -> Entry[DeadLetter]:
    """Make the letter for a record of one of our own topics that cannot become rows.

    The same record always makes the same letter, but for the time; all its text is fit for Postgres.
    """
    value = record.value or b""
    key = (record.key or b"").decode("utf-8", "replace").partition("/")[0]
    letter = DeadLetter(
        dead_letter_id=uuid5("dead letter", record.topic, str(record.partition), str(record.offset)),
        found_by="history",
        reason=reason,
        detail=_plain(detail)[:DETAIL_CHARS],
        source=Source(topic=record.topic, partition=record.partition, offset=record.offset),
        record_time=_time(record.timestamp),
        processed_at=datetime.now(UTC).isoformat(),
        store_id=_plain(key)[:DETAIL_CHARS] or None,
        head=value[:HEAD_BYTES],
        length=len(value),
        sha256=hashlib.sha256(value).hexdigest(),
        complete=len(value) <= HEAD_BYTES,
    )
    return Entry(letter, b"", record)


def _plain(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _time(milliseconds: Any) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1_000, UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        # A record may carry any time, or none.
        return _NEVER
