"""From records to events: what was read is decoded once, before Postgres is asked for anything."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from storage.errors import OutOfPlaceError
from storage.rows import TARGETS, Target
from storage.rows.dead_letters import NOT_AN_EVENT, DeadLetter, refused
from storage.rows.entry import Entry, Record

log = logging.getLogger(__name__)

# JSON's escape of U+0000, which Postgres can keep in no text.
_NUL = b"\\u0000"


class Batch(Protocol):
    """Records of one topic and partition, in log order; `topic` with its prefix.

    `begin` is the position that reading went on from and `next_offset` the one after it; offsets between
    them without a record are the log's own (control records, aborted or compacted ones).
    """

    @property
    def topic(self) -> str: ...
    @property
    def records(self) -> Sequence[Record]: ...
    @property
    def begin(self) -> int: ...
    @property
    def next_offset(self) -> int: ...


class Move(msgspec.Struct, frozen=True):
    """A topic's progress in a unit; `expected` is where Postgres stands now, None when it has no row."""

    topic: str
    expected: int | None
    next_offset: int


class Unit(msgspec.Struct):
    """What goes into Postgres in one transaction."""

    moves: list[Move]
    entries: dict[str, list[Entry[Any]]]
    letters: list[Entry[DeadLetter]]
    records: int


def take_in(
    partition: int,
    batches: Sequence[Batch],
    positions: Mapping[tuple[str, int], int | None],
    topics: Mapping[str, str],
) -> Unit:
    """Decode the batches of a partition; `topics` maps full names to those of the registry.

    Raises OutOfPlaceError when a batch does not go on where `positions`, or the batch before it, ended.
    """
    unit = Unit([], {}, [], 0)
    reached: dict[str, int] = {}
    for batch in batches:
        place = (batch.topic, partition)
        if place not in positions:
            raise OutOfPlaceError(
                f"{batch.topic}/{partition}: where the history goes on has not been asked, or an error came"
                " since; nothing was written. Start the worker again"
            )
        begin = reached.get(batch.topic, positions[place])
        if begin is not None and batch.begin != begin:
            raise OutOfPlaceError(
                f"{batch.topic}/{partition}: the history goes on at offset {begin}, and the records read"
                f" begin at {batch.begin}; nothing was written. Start the worker again: it reads from {begin}"
            )
        reached[batch.topic] = batch.next_offset
        unit.records += len(batch.records)
        name = topics[batch.topic]
        _decode(batch.records, TARGETS[name], unit.entries.setdefault(name, []), unit.letters)
    unit.moves = [
        Move(topic, positions[topic, partition], next_offset)
        for topic, next_offset in sorted(reached.items())
    ]
    return unit


def _decode(
    records: Sequence[Record],
    target: Target,
    entries: list[Entry[Any]],
    letters: list[Entry[DeadLetter]],
) -> None:
    decode = target.decode
    for record in records:
        value = record.value
        try:
            if value is None:
                raise msgspec.DecodeError("a record without a value")
            if _NUL in value:
                value = _without_nul(value)
            entries.append(Entry(decode(value), value, record))
        # RecursionError: nested beyond the decoder's depth. UnicodeDecodeError (a ValueError): not UTF-8.
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            log.error(
                "%s/%s offset %s is not an event of this topic (%s); it is in dead_letters. Another program"
                " writes to the topic, or a newer Tillstream does: upgrade this one",
                record.topic,
                record.partition,
                record.offset,
                type(error).__name__,
            )
            letters.append(refused(record, NOT_AN_EVENT, str(error)))


def _without_nul(value: bytes) -> bytes:
    """Take U+0000 out of all text of a JSON document, keys included."""
    return msgspec.json.encode(_plain(msgspec.json.decode(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key.replace("\0", ""): _plain(item) for key, item in value.items()}
    return value
