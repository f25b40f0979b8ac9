"""What operators do about dead letters: noted before a record is sent again, and when that is known."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from storage.queries import query

_begin = query("dead_letters.begin_redrives")
_end = query("dead_letters.end_redrives")
_open = query("dead_letters.open_redrives")
_discard = query("dead_letters.discard_letters")
_restore = query("dead_letters.restore_letters")

Origin = Literal["log", "letter", "file"]


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """A record about to be sent again; `after_offset` is the end of its partition now, `topic` unprefixed."""

    redrive_id: str
    dead_letter_id: str
    origin: Origin
    source: str
    topic: str
    partition: int
    after_offset: int
    length: int
    sha256: str


class Open(msgspec.Struct, frozen=True):
    """A sending of which it is not known whether it took place."""

    redrive_id: str
    dead_letter_id: str
    topic: str
    partition: int
    after_offset: int
    begun_at: datetime


async def begin(connection: Any, sendings: Sequence[Sending], *, operator: str, why: str) -> None:
    """Note what is about to be sent; nothing is noted when one of the letters was sent before."""
    await connection.execute(
        _begin,
        [UUID(one.redrive_id) for one in sendings],
        [one.dead_letter_id for one in sendings],
        [one.origin for one in sendings],
        [one.source for one in sendings],
        [one.topic for one in sendings],
        [one.partition for one in sendings],
        [one.after_offset for one in sendings],
        [one.length for one in sendings],
        [one.sha256 for one in sendings],
        operator,
        why,
    )


async def end(connection: Any, known: Mapping[str, int | None]) -> None:
    """Note the offset that each sending's record has, or None: it was not sent."""
    await connection.execute(_end, [UUID(redrive_id) for redrive_id in known], list(known.values()))


async def still_open(connection: Any) -> list[Open]:
    """Return the sendings that a run which was broken off left open."""
    return [Open(*row) for row in await connection.fetch(_open)]


async def discard(connection: Any, ids: Sequence[str], *, operator: str, why: str) -> None:
    """Set letters aside that are not."""
    await connection.execute(_discard, list(ids), operator, why)


async def restore(connection: Any, ids: Sequence[str], *, operator: str) -> None:
    """Take letters up again that were set aside."""
    await connection.execute(_restore, list(ids), operator)
