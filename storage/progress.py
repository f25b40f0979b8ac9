"""How far each topic has been written: read when a lane begins, moved in the transaction of its rows."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from storage.errors import FencedError
from storage.intake import Move
from storage.queries import query

Place = tuple[str, int]
"""A topic (with its prefix) and a partition."""


class Span(msgspec.Struct, frozen=True):
    """Offsets of a partition to read: from `begin` up to, and without, `end`; `topic` with the prefix."""

    topic: str
    partition: int
    begin: int
    end: int

    @property
    def offsets(self) -> int:
        """How many they are; records are as many, or fewer: the log has marks of its own."""
        return self.end - self.begin


_read = query("progress.read_positions")
_advance = query("progress.advance")
_begin = query("progress.begin")
_end_other_sessions = query("progress.end_other_sessions")


async def read(connection: Any, consumer: str, places: Collection[Place]) -> dict[Place, int | None]:
    """Return the next offset of each place, None where nothing has been written yet."""
    found = await connection.fetch(
        _read, consumer, [topic for topic, _ in places], [partition for _, partition in places]
    )
    positions: dict[Place, int | None] = dict.fromkeys(places)
    positions.update({(topic, partition): next_offset for topic, partition, next_offset in found})
    return positions


async def advance(connection: Any, consumer: str, partition: int, moves: Sequence[Move]) -> None:
    """Move the progress rows; a row that does not stand where expected raises FencedError.

    The first statement of a unit's transaction: from here on the partition's other writers wait, and fail
    once this one is through.
    """
    begun = [move for move in moves if move.expected is None]
    going = [move for move in moves if move.expected is not None]
    moved: set[str] = set()
    if going:
        topics, expected, nexts = zip(*((m.topic, m.expected, m.next_offset) for m in going), strict=True)
        rows = await connection.fetch(
            _advance, consumer, partition, list(topics), list(expected), list(nexts)
        )
        moved.update(row[0] for row in rows)
    if begun:
        topics, nexts = zip(*((m.topic, m.next_offset) for m in begun), strict=True)
        rows = await connection.fetch(_begin, consumer, partition, list(topics), list(nexts))
        moved.update(row[0] for row in rows)
    if lost := [move for move in moves if move.topic not in moved]:
        at = ", ".join(
            f"{move.topic}/{partition} at {'its beginning' if move.expected is None else move.expected}"
            for move in lost
        )
        raise FencedError(
            f"Postgres no longer stands at {at} for consumer {consumer!r}: another worker has taken over the"
            " partition, or the progress was set back. Nothing was written; start this worker again and it"
            " goes on from where Postgres stands"
        )


async def reached(connection: Any, consumer: str, partition: int, moves: Sequence[Move]) -> bool:
    """Whether the rows stand where the moves lead: a commit whose answer was lost did happen."""
    positions = await read(connection, consumer, [(move.topic, partition) for move in moves])
    return all(positions[move.topic, partition] == move.next_offset for move in moves)


async def end_other_sessions(connection: Any) -> int:
    """End the sessions of this lane that other processes left behind; return how many."""
    return len(await connection.fetch(_end_other_sessions))
